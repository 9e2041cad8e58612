/** The API keys that were created, with what became of them: folded from the platform log. */
import type { EventRow } from "../../event/index.js";
import { type JsonObject, parseUs, type TenantId } from "../../kernel/index.js";
import { storedHashBytes } from "../credentials.js";
import { Networks } from "../networks.js";
import { type Grant, grantNames, type Principal } from "../principal.js";
import { Scopes } from "../scope.js";
import { corrupt, specOf, textOf, textsOf } from "./row-values.js";

/** An API key; revoked ones stay known. */
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
  /** As it was created. */
  readonly expiresAtUs: number | null;
  readonly revokedAtUs: number | null;
  /** Of its resource: every intent on it opens one. */
  readonly generation: number;
  /** It takes the place of another key, which works on for so long. */
  readonly rotation: { readonly from: string; readonly overlapSeconds: number } | undefined;
  /** Another key takes its place, and it ends then. */
  readonly replaced: { readonly by: string; readonly endsAtUs: number } | undefined;
  /** The last day of UTC on which it was used, as `2026-01-31`; undefined: on none. */
  readonly lastUsedOn: string | undefined;
}

/** Whether the key may be used at `nowUs`. */
export function isKeyUsable(key: KeyEntry, nowUs: number): boolean {
  const endsAtUs = keyEndsAtUs(key);
  return key.revokedAtUs === null && (endsAtUs === null || nowUs < endsAtUs);
}

/** When the key ends by itself: its expiry, or sooner when it was replaced. */
export function keyEndsAtUs({ expiresAtUs, replaced }: KeyEntry): number | null {
  if (replaced === undefined) return expiresAtUs;
  return Math.min(expiresAtUs ?? Number.POSITIVE_INFINITY, replaced.endsAtUs);
}

/** All keys. */
export class KeyBook {
  readonly #keys = new Map<string, KeyEntry>();

  /** The key with this id, also when it is revoked or expired. */
  get(keyId: string): KeyEntry | undefined {
    return this.#keys.get(keyId);
  }

  /** All of them, oldest first. */
  all(): Iterable<KeyEntry> {
    return this.#keys.values();
  }

  /** The keys of a tenant, oldest first. */
  of(tenantId: TenantId): readonly KeyEntry[] {
    return [...this.#keys.values()].filter((key) => key.tenantId === tenantId);
  }

  /** Folds an event about keys; others leave it as it is. @throws EventplaneError `event_corrupt` */
  apply(row: EventRow): void {
    if (row.type === "key.create") this.#create(row);
    else if (row.type === "key.rotate") this.#rotate(row);
    else if (row.type === "key.revoke")
      this.#change(row, (key) => ({ revokedAtUs: key.revokedAtUs ?? row.recordedAtUs }));
    else if (row.type === "key-use.recorded") this.#use(row);
  }

  #create(row: EventRow): void {
    const spec = specOf(row);
    const secretHash = storedHashBytes(textOf(spec, "secretHash", row));
    if (secretHash === undefined) throw corrupt(row);
    const id = row.aggregateId;
    const tenantId = textOf(spec, "tenantId", row) as TenantId; // checked by the type's schema when it was written
    const grants = grantsOf(spec);
    const scopes = spec.scopes === undefined ? {} : { scopes: new Scopes(textsOf(spec.scopes, row)) };
    this.#keys.set(id, {
      id,
      tenantId,
      name: textOf(spec, "name", row),
      principal: { type: "service", id: textOf(spec, "principalId", row), tenantId, grants, ...scopes, keyId: id },
      networks: spec.networks === undefined ? undefined : new Networks(textsOf(spec.networks, row)),
      secretHash,
      createdAtUs: row.recordedAtUs,
      expiresAtUs: spec.expiresAt === undefined ? null : timeOf(spec, "expiresAt", row),
      revokedAtUs: null,
      generation: row.generation,
      rotation: rotationOf(spec),
      replaced: undefined,
      lastUsedOn: undefined,
    });
  }

  /** Replaced again, it ends at the sooner time. */
  #rotate(row: EventRow): void {
    const spec = specOf(row);
    const by = textOf(spec, "replacedBy", row);
    const endsAtUs = timeOf(spec, "endsAt", row);
    this.#change(row, ({ replaced }) => ({
      replaced: { by, endsAtUs: Math.min(endsAtUs, replaced?.endsAtUs ?? Number.POSITIVE_INFINITY) },
    }));
  }

  #use(row: EventRow): void {
    const spec = specOf(row);
    const day = textOf(spec, "day", row);
    for (const keyId of textsOf(spec.keys, row)) {
      const key = this.#keys.get(keyId);
      if (key !== undefined && (key.lastUsedOn ?? "") < day) this.#keys.set(keyId, { ...key, lastUsedOn: day });
    }
  }

  #change(row: EventRow, change: (key: KeyEntry) => Partial<KeyEntry>): void {
    const key = this.#keys.get(row.aggregateId);
    if (key !== undefined) this.#keys.set(key.id, { ...key, ...change(key), generation: row.generation });
  }
}

/** A time that cannot be read is long past: one key is unusable then, instead of every edge. */
function timeOf(spec: JsonObject, member: string, row: EventRow): number {
  return parseUs(textOf(spec, member, row)) ?? 0;
}

function grantsOf(spec: JsonObject): ReadonlySet<Grant> {
  const given = Array.isArray(spec.grants) ? spec.grants : [];
  return new Set(grantNames.filter((grant) => given.includes(grant)));
}

function rotationOf(spec: JsonObject): KeyEntry["rotation"] {
  const rotation = spec.rotation as { readonly from: string; readonly overlapSeconds: number } | undefined; // by its schema
  return rotation === undefined ? undefined : { from: rotation.from, overlapSeconds: rotation.overlapSeconds };
}
