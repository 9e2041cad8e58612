/**
 * What an edge knows of the platform: tenants, API keys, policies, replays and introduced signing keys, folded from the platform log.
 */
import type { EventRow } from "../../event/index.js";
import {
  EventplaneError,
  type JsonObject,
  type JsonValue,
  PLATFORM_TENANT_ID,
  parseUs,
  type TenantId,
} from "../../kernel/index.js";
import { PolicyBook, policyApplyType } from "../authz/policy-book.js";
import { storedHashBytes } from "../credentials.js";
import { Networks } from "../networks.js";
import { type Grant, grantNames, type Principal } from "../principal.js";
import { Scopes } from "../scope.js";
import { PLATFORM_SLUG } from "./definitions.js";

/** A tenant that exists. */
export interface TenantEntry {
  readonly id: TenantId;
  readonly slug: string;
  /** Microseconds since 1970. */
  readonly createdAtUs: number;
}

/** An API key that was created; revoked ones stay known. */
export interface KeyEntry {
  readonly id: string;
  readonly tenantId: TenantId;
  readonly name: string;
  /** Who asks with it. */
  readonly principal: Principal;
  /** undefined: from anywhere. */
  readonly networks: Networks | undefined;
  readonly secretHash: Uint8Array;
  readonly createdAtUs: number;
  readonly expiresAtUs: number | null;
  readonly revokedAtUs: number | null;
}

/** The fold of the platform log. Applying an event is synchronous, so a request sees one position throughout. */
export class PlatformState {
  readonly #tenants = new Map<string, TenantEntry>();
  readonly #slugs = new Map<string, TenantEntry>();
  readonly #keys = new Map<string, KeyEntry>();
  readonly #introductions: JsonObject[] = [];
  readonly #policies = new PolicyBook();
  readonly #replays = new Map<string, string[]>();
  #position = 0;

  constructor() {
    this.#addTenant({ id: PLATFORM_TENANT_ID, slug: PLATFORM_SLUG, createdAtUs: 0 });
  }

  /** Position of the last event applied; 0 before the first. */
  get position(): number {
    return this.#position;
  }

  /** The policies that were applied, and what they make. */
  get policies(): PolicyBook {
    return this.#policies;
  }

  /** The specs of all `signing-key.introduced` facts, oldest first. */
  get introductions(): readonly JsonObject[] {
    return this.#introductions;
  }

  /** The tenant with this id or slug. */
  tenant(idOrSlug: string): TenantEntry | undefined {
    return this.#tenants.get(idOrSlug) ?? this.#slugs.get(idOrSlug);
  }

  /** All tenants but the platform, oldest first. */
  tenants(): readonly TenantEntry[] {
    return [...this.#tenants.values()].filter((tenant) => tenant.id !== PLATFORM_TENANT_ID);
  }

  /** The key with this id, also when it is revoked or expired. */
  key(keyId: string): KeyEntry | undefined {
    return this.#keys.get(keyId);
  }

  /** The keys of a tenant, oldest first. */
  keysOf(tenantId: TenantId): readonly KeyEntry[] {
    return [...this.#keys.values()].filter((key) => key.tenantId === tenantId);
  }

  /** The ids of a tenant's replays, the newest first; at most 1,000 are remembered. */
  replaysOf(tenantId: TenantId): readonly string[] {
    return this.#replays.get(tenantId) ?? [];
  }

  /**
   * Folds the next verified event of the platform log; types it does not know leave the state as it is.
   *
   * @throws EventplaneError `event_corrupt` when positions have a gap or a payload is not what its type says
   */
  apply(row: EventRow): void {
    if (row.position !== this.#position + 1) {
      throw new EventplaneError("event_corrupt", `The platform log has a gap before position ${row.position}.`);
    }
    if (row.type === "tenant.create") this.#createTenant(row);
    else if (row.type === "key.create") this.#createKey(row);
    else if (row.type === "key.revoke") this.#revokeKey(row);
    else if (row.type === policyApplyType) this.#policies.apply(row);
    else if (row.type === "replay.create") this.#createReplay(row);
    else if (row.type === "signing-key.introduced") this.#introductions.push(specOf(row));
    this.#position = row.position;
  }

  #createTenant(row: EventRow): void {
    const slug = text(specOf(row), "slug", row);
    this.#addTenant({ id: row.aggregateId as TenantId, slug, createdAtUs: row.recordedAtUs }); // the id made by tenantIdOf
  }

  #addTenant(entry: TenantEntry): void {
    this.#tenants.set(entry.id, entry);
    this.#slugs.set(entry.slug, entry);
  }

  #createKey(row: EventRow): void {
    const spec = specOf(row);
    const secretHash = storedHashBytes(text(spec, "secretHash", row));
    if (secretHash === undefined) throw corrupt(row);
    const id = row.aggregateId;
    const tenantId = text(spec, "tenantId", row) as TenantId; // checked by the type's schema when it was written
    const grants = grantsOf(spec);
    const scopes = spec.scopes === undefined ? {} : { scopes: new Scopes(textsOf(spec.scopes, row)) };
    this.#keys.set(id, {
      id,
      tenantId,
      name: text(spec, "name", row),
      principal: { type: "service", id: text(spec, "principalId", row), tenantId, grants, ...scopes, keyId: id },
      networks: spec.networks === undefined ? undefined : new Networks(textsOf(spec.networks, row)),
      secretHash,
      createdAtUs: row.recordedAtUs,
      expiresAtUs: expiryOf(spec, row),
      revokedAtUs: null,
    });
  }

  #createReplay(row: EventRow): void {
    const tenantId = text(specOf(row), "tenantId", row);
    this.#replays.set(tenantId, [row.aggregateId, ...(this.#replays.get(tenantId) ?? [])].slice(0, replaysMax));
  }

  #revokeKey(row: EventRow): void {
    const key = this.#keys.get(row.aggregateId);
    if (key !== undefined) this.#keys.set(key.id, { ...key, revokedAtUs: key.revokedAtUs ?? row.recordedAtUs });
  }
}

const replaysMax = 1_000;

/** Whether the key may be used at `nowUs`. */
export function isKeyUsable(key: KeyEntry, nowUs: number): boolean {
  return key.revokedAtUs === null && (key.expiresAtUs === null || nowUs < key.expiresAtUs);
}

function specOf(row: EventRow): JsonObject {
  return JSON.parse(row.specText) as JsonObject; // a spec is always a JSON object: the store's contract
}

function text(spec: JsonObject, member: string, row: EventRow): string {
  const value = spec[member];
  if (typeof value !== "string") throw corrupt(row);
  return value;
}

function textsOf(value: JsonValue, row: EventRow): readonly string[] {
  if (!Array.isArray(value)) throw corrupt(row);
  return value.map(String);
}

/** A time that cannot be read is long past: one key is unusable then, instead of every edge. */
function expiryOf(spec: JsonObject, row: EventRow): number | null {
  return spec.expiresAt === undefined ? null : (parseUs(text(spec, "expiresAt", row)) ?? 0);
}

function grantsOf(spec: JsonObject): ReadonlySet<Grant> {
  const given = Array.isArray(spec.grants) ? spec.grants : [];
  return new Set(grantNames.filter((grant) => given.includes(grant)));
}

function corrupt(row: EventRow): EventplaneError {
  return new EventplaneError(
    "event_corrupt",
    `The platform event at position ${row.position} is not what its type says.`,
  );
}
