/**
 * The schemas that were registered, folded from the platform log: those of the application, and those of tenants for types of their own,
 * version by version.
 */
import {
  type CompatibilityMode,
  type EventRow,
  type IntentDefinition,
  isCompatibilityMode,
  isJsonObject,
} from "../../event/index.js";
import { type JsonObject, limits, type TenantId, uuid8 } from "../../kernel/index.js";
import { type SchemaVersion, VersionBook } from "../../schema/index.js";
import { corrupt, specOf, textOf } from "./row-values.js";

/** The type of the fact that notes a schema of the application: `{type, schemaVersion, hash, schema}`. */
export const schemaFactType = "schema.registered";

/** The type of the intent that registers a schema of a tenant: `{tenantId, type, schema, compatibility}`; its generation is the version. */
export const schemaRegisterType = "schema.register";

/** How types of tenants begin, and no aggregate of an application does. */
export const tenantTypePrefix = "x-";

/** The stream of a tenant's type. */
export function schemaStreamId(tenantId: TenantId, type: string): string {
  return uuid8(tenantId, "schema", type);
}

/** A type of a tenant as it is now. */
export interface TenantType {
  readonly definition: IntentDefinition;
  readonly compatibility: CompatibilityMode;
  /** Microseconds since 1970. */
  readonly registeredAtUs: number;
}

interface TenantSchemas {
  readonly types: Map<string, TenantType>;
  readonly versions: VersionBook;
  bytes: number;
}

/** See the file's first lines. */
export class SchemaBook {
  readonly #application = new VersionBook();
  readonly #tenants = new Map<TenantId, TenantSchemas>();

  /** Folds a verified `schema.registered`. @throws EventplaneError `event_corrupt` */
  applyRegistered(row: EventRow): void {
    const { type, schemaVersion, schema } = specOf(row);
    if (typeof type !== "string" || typeof schemaVersion !== "number" || !isJsonObject(schema)) throw corrupt(row);
    this.#application.add({ type, schemaVersion, schema });
  }

  /** Folds a verified `schema.register`. @throws EventplaneError `event_corrupt` */
  applyRegister(row: EventRow): void {
    const spec = specOf(row);
    const { schema, compatibility } = spec;
    if (!isJsonObject(schema) || !isCompatibilityMode(compatibility)) throw corrupt(row);
    const tenantId = textOf(spec, "tenantId", row) as TenantId; // the administration wrote it
    const type = textOf(spec, "type", row);
    const schemaVersion = row.generation;
    const schemas = this.#tenants.get(tenantId) ?? { types: new Map(), versions: new VersionBook(), bytes: 0 };
    this.#tenants.set(tenantId, schemas);
    const definition = definitionOf({ type, schemaVersion, schema });
    schemas.types.set(type, { definition, compatibility, registeredAtUs: row.recordedAtUs });
    schemas.versions.add({ type, schemaVersion, schema });
    schemas.bytes += Buffer.byteLength(row.specText);
  }

  /** A version of a type of the application. */
  find(type: string, schemaVersion: number): SchemaVersion | undefined {
    return this.#application.find(type, schemaVersion);
  }

  /** A type that the tenant registered. */
  tenantType(tenantId: TenantId, type: string): TenantType | undefined {
    return this.#tenants.get(tenantId)?.types.get(type);
  }

  /** All types of the tenant, in the order in which they came. */
  tenantTypes(tenantId: TenantId): readonly TenantType[] {
    return [...(this.#tenants.get(tenantId)?.types.values() ?? [])];
  }

  /** The versions of a type of the tenant, the latest last. */
  tenantVersions(tenantId: TenantId, type: string): readonly SchemaVersion[] {
    return this.#tenants.get(tenantId)?.versions.of(type) ?? [];
  }

  /** A version of a type of the tenant. */
  tenantVersion(tenantId: TenantId, type: string, schemaVersion: number): SchemaVersion | undefined {
    return this.#tenants.get(tenantId)?.versions.find(type, schemaVersion);
  }

  /** What all versions of all types of the tenant come to, bytes. */
  bytesOf(tenantId: TenantId): number {
    return this.#tenants.get(tenantId)?.bytes ?? 0;
  }
}

/** Nobody watches such a type: whatever comes is merged into its resource, and any may be the first. */
function definitionOf({
  type,
  schemaVersion,
  schema,
}: {
  readonly type: string;
  readonly schemaVersion: number;
  readonly schema: JsonObject;
}): IntentDefinition {
  const specBytesMax = limits.tenantSpecBytesMax;
  return { type, effect: "updates", fold: "merge", schemaVersion, schema, specBytesMax, defaultExpectedVersion: "any" };
}
