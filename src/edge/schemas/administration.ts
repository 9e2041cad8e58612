/** Schemas of a tenant's own types as intents in the platform's log: registered and checked. Who may ask is decided before. */
import {
  type CausedBy,
  type CompatibilityMode,
  compatibilityDefault,
  EventFactory,
  isEventType,
  reservedTails,
  typeTail,
} from "../../event/index.js";
import {
  EventplaneError,
  type JsonObject,
  limits,
  PLATFORM_TENANT_ID,
  sha256,
  type TenantId,
  uuid8,
} from "../../kernel/index.js";
import { incompatibilities, incompatibilityText, readStrangerSchema } from "../../schema/index.js";
import { platformApp } from "../platform/definitions.js";
import { type SchemaBook, schemaRegisterType, schemaStreamId, tenantTypePrefix } from "../platform/schema-book.js";
import { refusalError } from "../publish/refusal-errors.js";
import type { EdgeParts } from "../routes/context.js";

/** What is to be registered. */
export interface SchemaWish {
  readonly tenantId: TenantId;
  readonly type: string;
  readonly schema: JsonObject;
  /** Default: that of the version before; of the first `backward`. */
  readonly compatibility?: CompatibilityMode | undefined;
}

/** What a schema would become. */
export interface SchemaReport {
  /** Closed, as it would be stored. */
  readonly schema: JsonObject;
  readonly compatibility: CompatibilityMode;
  /** Why it may not follow the versions before it; empty when it may. */
  readonly reasons: readonly string[];
  /** The latest version; 0 when there is none. */
  readonly follows: number;
}

/**
 * Holds a schema against the bounds, and against the versions before it.
 *
 * @throws EventplaneError `request_invalid` for a type that no tenant may have; `schema_invalid` with every problem; `busy` when the
 * tenant's schemas have taken their share of the edge's time
 */
export function checkSchema({ platform, schemaTime }: SchemaParts, wish: SchemaWish): SchemaReport {
  assertOwnType(wish.type);
  return schemaTime.take(wish.tenantId, () => reportOf(platform.state.schemas, wish));
}

interface SchemaParts extends Pick<EdgeParts, "schemaTime"> {
  readonly platform: { readonly state: { readonly schemas: SchemaBook } };
}

function reportOf(schemas: SchemaBook, wish: SchemaWish): SchemaReport {
  const { tenantId, type } = wish;
  const versions = schemas.tenantVersions(tenantId, type);
  const before = schemas.tenantType(tenantId, type)?.compatibility ?? compatibilityDefault;
  const compatibility = wish.compatibility ?? before;
  const schema = readStrangerSchema(wish.schema);
  const reasons = incompatibilities(schema, versions, compatibility).map(incompatibilityText);
  return { schema, compatibility, reasons, follows: versions.at(-1)?.schemaVersion ?? 0 };
}

/**
 * Registers a schema as this version: the one after the latest. The same again changes nothing.
 *
 * @throws EventplaneError what {@link checkSchema} does; `schema_incompatible` with every reason; `schema_limit`;
 * `wrong_expected_generation` when the version is not the next one, or somebody else was faster
 */
export async function registerSchema(
  parts: EdgeParts,
  wish: SchemaWish & { readonly version: number },
  stamp: CausedBy,
): Promise<void> {
  const { tenantId, type, version } = wish;
  const report = checkSchema(parts, wish);
  const { schema, compatibility } = report;
  const spec = { tenantId, type, schema, compatibility };
  const specText = JSON.stringify(spec);
  if (report.follows < version) assertMayFollow(parts, wish, { report, bytes: Buffer.byteLength(specText) });
  const item = new EventFactory({ app: platformApp, ids: parts.ids }).intent(
    {
      tenantId: PLATFORM_TENANT_ID,
      type: schemaRegisterType,
      // The same wish again is the same event, so an answer that was lost costs nothing.
      id: uuid8(
        PLATFORM_TENANT_ID,
        schemaRegisterType,
        tenantId,
        type,
        String(version),
        sha256(specText).toString("hex"),
      ),
      idFromOutsideKey: true,
      aggregateId: schemaStreamId(tenantId, type),
      spec,
      specText,
      expectedGeneration: version - 1,
    },
    stamp,
  );
  const outcome = await parts.log.append({ tenantId: PLATFORM_TENANT_ID, items: [item] });
  await parts.platform.catchUp(outcome.result === "refused" ? 0 : outcome.receipts[0]?.position);
  if (outcome.result === "refused") throw refusalError(outcome);
}

function assertMayFollow(
  { platform }: EdgeParts,
  { tenantId, type, version }: SchemaWish & { readonly version: number },
  { report, bytes }: { readonly report: SchemaReport; readonly bytes: number },
): void {
  if (report.reasons.length > 0)
    throw new EventplaneError(
      "schema_incompatible",
      `Version ${version} of ${type} may not follow: ${report.reasons.slice(0, 3).join("; ")}.`,
      { details: { reasons: report.reasons } },
    );
  const { schemas } = platform.state;
  const types = schemas.tenantTypes(tenantId).length + (report.follows === 0 ? 1 : 0);
  const held = schemas.bytesOf(tenantId) + bytes;
  const hasVersionLeft = report.follows < limits.tenantTypeVersionsMax;
  if (hasVersionLeft && types <= limits.tenantTypesMax && held <= limits.tenantSchemasBytesMax) return;
  throw new EventplaneError(
    "schema_limit",
    `A tenant has at most ${limits.tenantTypesMax} types of its own, each of at most ${limits.tenantTypeVersionsMax} versions, all of them together of at most ${limits.tenantSchemasBytesMax} bytes; this would be ${types} types, version ${report.follows + 1} and ${held} bytes.`,
  );
}

function assertOwnType(type: string): void {
  const isForm = isEventType(type) && type.includes(".") && !reservedTails.includes(typeTail(type));
  if (isForm && type.startsWith(tenantTypePrefix)) return;
  const message = `Types of tenants are dotted and begin with ${tenantTypePrefix}, as ${tenantTypePrefix}order.placed; all others are the application's.`;
  throw new EventplaneError("request_invalid", message, { details: { pointer: "/type" } });
}
