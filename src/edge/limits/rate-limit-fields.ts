/**
 * The header fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11): what a client may do, and
 * what is left of it, before it is refused.
 */

/** One limit as a client sees it. */
interface RateLimitPolicy {
  /** Letters and hyphens. */
  readonly name: string;
  /** So much in the window; a whole number. */
  readonly quota: number;
  /** Absent: it is no matter of time. */
  readonly windowSeconds: number | undefined;
  /** As far as this edge knows; a whole number from 0. */
  readonly left: number;
  /** Seconds until all of it is there again, or until some is when none is left. */
  readonly resetSeconds: number;
}

/** The fields, under their names in lower case. */
export type RateLimitFields = Readonly<Record<"ratelimit-policy" | "ratelimit", string>>;

/** What the quotas count; `requests` is the draft's default and is not written. */
const units: Readonly<Record<string, string>> = {
  events: "events",
  "principal-events": "events",
  bytes: "content-bytes",
  connections: "concurrent-requests",
  streams: "streams",
};

/** The fields of limits whose items are texts already. */
export function fieldsOf(policies: readonly string[], states: readonly string[]): RateLimitFields {
  return { "ratelimit-policy": policies.join(", "), ratelimit: states.join(", ") };
}

/** The fields of these limits. */
export function rateLimitFields(policies: readonly RateLimitPolicy[]): RateLimitFields {
  return fieldsOf(policies.map(policyItem), policies.map(stateItem));
}

/** The limit in `RateLimit-Policy`. */
export function policyItem({
  name,
  quota,
  windowSeconds,
}: Pick<RateLimitPolicy, "name" | "quota" | "windowSeconds">): string {
  const unit = units[name] === undefined ? "" : `;qu="${units[name]}"`;
  return `"${name}";q=${quota}${unit}${windowSeconds === undefined ? "" : `;w=${windowSeconds}`}`;
}

/** What is left of it in `RateLimit`. */
export function stateItem({
  name,
  left,
  resetSeconds,
}: Pick<RateLimitPolicy, "name" | "left" | "resetSeconds">): string {
  return `"${name}";r=${left};t=${resetSeconds}`;
}
