/**
 * What reconcile returns, in words. The status is typed by the aggregate that the controller watches.
 */
import type { Decision } from "../event/index.js";
import type { JsonObject } from "../kernel/index.js";

/** What may go with a decision. */
export interface DecisionOptions<Status extends object = JsonObject> {
  /** Merged (RFC 7396) under `status.<controller>`. */
  readonly status?: NoInfer<Status>;
  /** Run again after this many milliseconds, > 0, even if nothing happens. */
  readonly requeueAfterMs?: number;
}

/**
 * This controller's part of the generation is done.
 *
 * @example reconcile: ({ resource }) => done({ members: limits[resource.spec.plan] })
 */
export function done<Status extends object = JsonObject>(
  status?: NoInfer<Status>,
  options: Pick<DecisionOptions, "requeueAfterMs"> = {},
): Decision<Status> {
  return { outcome: "completed", ...(status === undefined ? {} : { status }), ...options };
}

/**
 * Not done yet; run again when something happens to the resource, or after `requeueAfterMs`.
 *
 * @example pending({ requeueAfterMs: 200 })
 */
export function pending<Status extends object = JsonObject>(options: DecisionOptions<Status> = {}): Decision<Status> {
  return { outcome: "progressing", ...options };
}

/**
 * Not done, and somebody should know why: condition `Blocked`, until this controller's next decision.
 *
 * @param reason one CamelCase word
 * @param message one sentence for people, without personal data
 */
export function blocked<Status extends object = JsonObject>(
  reason: string,
  message: string,
  options: DecisionOptions<Status> = {},
): Decision<Status> {
  return { outcome: "progressing", conditions: [{ type: "Blocked", status: "True", reason, message }], ...options };
}

/**
 * A business "no": the generation ends as rejected, phase Failed, until the next intent.
 *
 * @param reason one CamelCase word
 * @param message one sentence for people, without personal data
 */
export function reject(reason: string, message: string): Decision<never> {
  return { outcome: { rejected: { reason, message } } };
}
