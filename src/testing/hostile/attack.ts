/** One attack: what is sent, and what must come of it. */
import type { IntentMessage } from "../../controller/index.js";
import type { Sent } from "./http.js";

/**
 * `refused`: a clear 4xx. `harmless`: anything but a failure of the plane. `status`: this one. `like`: the same answer as to this
 * request about something that does not exist, but for the names in it. `once`: it is done, sent again it is the same thing, and
 * with other content under the same key it is refused.
 */
export type Expectation =
  | { readonly is: "refused" | "harmless" }
  | { readonly is: "status"; readonly status: number }
  | { readonly is: "like"; readonly twin: Sent; readonly names: readonly (readonly [string, string])[] }
  | { readonly is: "once"; readonly other: Sent };

/** One try. */
export interface Attack {
  readonly what: string;
  readonly sent: Sent;
  readonly expected: Expectation;
  /** Of attacks over every route: as `GET /v1/tenants/:t/events`. */
  readonly route?: string;
}

/** The intent as the attacker publishes it: what is the victim's own about it is left out. */
export function intentOf({ type, spec }: IntentMessage): { readonly type: string; readonly spec: object } {
  return { type, spec: withoutCanaries(spec) as object }; // an object stays one
}

/** Texts of the attacker's own, so that what comes back is not taken for the victim's. */
function withoutCanaries(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll(/canary/gi, "linnet");
  if (Array.isArray(value)) return value.map(withoutCanaries);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withoutCanaries(each)]));
}
