/** What a key is asked to be, checked, and compared with what it is. */
import { compileSchema, EventplaneError, type JsonObject, parseUs, type TenantId } from "../../kernel/index.js";
import { isNetwork } from "../networks.js";
import type { Grant } from "../principal.js";
import { mismatch } from "../publish/refusal-errors.js";
import { platformApp, principalIdOf } from "./definitions.js";
import type { KeyEntry } from "./key-book.js";

/** What a key is created with. */
export interface KeyWish {
  readonly name: string;
  readonly grants: readonly Grant[];
  /** `organization.*`, `organization.create`, `reader:organization.*`; absent: all that the grants allow. Not with `admin`. */
  readonly scopes?: readonly string[];
  /** RFC 3339. */
  readonly expiresAt?: string;
  /** Addresses and CIDR ranges that it may be used from; absent: anywhere. */
  readonly networks?: readonly string[];
  /** The same one again gives the same key, without its secret. */
  readonly idempotencyKey?: string;
}

/** How a key is replaced. */
export interface RotationWish {
  /** How long the old key works on, 0 to 2,592,000; by default 86,400, a day. */
  readonly overlapSeconds?: number;
  /** Of the new key, RFC 3339; by default that of the old one. */
  readonly expiresAt?: string;
  /** The same one again gives the same key, without its secret. */
  readonly idempotencyKey?: string;
}

/** How long the old key works on where nobody says. */
export const overlapSecondsDefault = 86_400;

const checkKeySpec = compileSchema(
  platformApp.aggregates.get("key")?.intents.get("key.create")?.schema ?? (false as never),
);

type Problems = ReturnType<typeof checkKeySpec>;

/**
 * The spec of `key.create`.
 *
 * @throws EventplaneError `schema_violation` with pointers into the wish
 */
export function keySpecOf(
  tenantId: TenantId,
  wish: KeyWish & { readonly rotation?: KeyEntry["rotation"] },
  secretHash: string,
): JsonObject {
  const { idempotencyKey: _, ...wished } = wish;
  const principalId = principalIdOf(tenantId, String(wish.name));
  const spec = { ...(wished as unknown as JsonObject), tenantId, principalId, secretHash }; // the schema checks every member
  const misfits = checkKeySpec(spec);
  const problems = misfits.length > 0 ? misfits.map(ofRotation) : problemsOf(wish);
  if (problems.length === 0) return spec;
  throw new EventplaneError(
    "schema_violation",
    `The key does not fit: ${problems.map(({ pointer, message }) => `${pointer} ${message}`).join("; ")}.`,
    { details: { pointers: problems.map(({ pointer }) => pointer) } },
  );
}

/**
 * What a repetition is answered with.
 *
 * @throws EventplaneError `content_mismatch` when the key is another than the one that is wished for
 */
export function assertSameWish(existing: KeyEntry, wish: KeyWish): { readonly id: string } {
  const wishedUs = wish.expiresAt === undefined ? null : (parseUs(wish.expiresAt) ?? null);
  const isSame =
    existing.name === wish.name &&
    existing.expiresAtUs === wishedUs &&
    isSameList([...existing.principal.grants], wish.grants) &&
    isSameList(existing.principal.scopes?.texts ?? [], wish.scopes ?? []) &&
    isSameList(existing.networks?.texts ?? [], wish.networks ?? []);
  if (!isSame) throw mismatch(existing.id);
  return { id: existing.id };
}

/** What the caller calls so. */
function ofRotation(problem: Problems[number]): Problems[number] {
  return { ...problem, pointer: problem.pointer.replace(/^\/rotation\//, "/") };
}

/** What no schema says. What no fold can read would stop every edge, so it is refused here. */
function problemsOf({ grants, scopes = [], expiresAt, networks = [] }: KeyWish): Problems {
  const problems: Problems[number][] = [];
  if (expiresAt !== undefined && parseUs(expiresAt) === undefined)
    problems.push({ pointer: "/expiresAt", message: "must be a time before 2255 such as 2030-01-31T09:30:00Z" });
  if (scopes.length > 0 && grants.includes("admin"))
    problems.push({
      pointer: "/scopes",
      message: "cannot be given with the grant admin, which makes keys without any",
    });
  for (const [index, scope] of scopes.entries()) {
    const [grant, type] = scope.split(":");
    if (type !== undefined && !grants.some((each) => each === grant))
      problems.push({ pointer: `/scopes/${index}`, message: "names a grant that the key does not have" });
  }
  for (const [index, network] of networks.entries()) {
    if (!isNetwork(network))
      problems.push({ pointer: `/networks/${index}`, message: "must be an address or a range such as 192.0.2.0/24" });
  }
  return problems;
}

function isSameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((each) => right.includes(each));
}
