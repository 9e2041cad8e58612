/**
 * What reconcile returns, in words. The status is typed by the aggregate that the controller watches.
 */
import type { Decision } from "../event/index.js";

/**
 * The status that a helper takes: what the surrounding reconcile must return. Where TypeScript sees no such context (a
 * decision made outside of reconcile, or a reconcile without parameters) any object; it is checked when it is used.
 */
export type StatusInContext<Status> = [Status] extends [never] ? object : NoInfer<Status>;

/** What may go with a decision. */
export interface DecisionOptions<Status extends object = never> {
  /** Merged (RFC 7396) under `status.<controller>`. */
  readonly status?: StatusInContext<Status>;
  /** Run again after this many milliseconds, > 0, even if nothing happens. */
  readonly requeueAfterMs?: number;
}

/**
 * This controller's part of the generation is done.
 *
 * @example reconcile: ({ resource }) => done({ members: limits[resource.spec.plan] })
 */
export function done<Status extends object = never, const Given extends object = never>(
  status?: Sit<Status, Given>,
  options: Pick<DecisionOptions, "requeueAfterMs"> = {},
): Decision<Out<Status, Given>> {
  return { outcome: "completed", ...(status === undefined ? {} : { status: status as Out<Status, Given> }), ...options };
}
export type Sit<Status, Given> = [Status] extends [never] ? Given : NoInfer<Status>;
export type Out<Status, Given> = [Status] extends [never] ? Given : Status;

/**
 * Not done yet; run again when something happens to the resource, or after `requeueAfterMs`.
 *
 * @example pending({ requeueAfterMs: 200 })
 */
export function pending<Status extends object = never>(options: DecisionOptions<Status> = {}): Decision<Status> {
  return progressing(options, {});
}

/**
 * Not done, and somebody should know why: condition `Blocked`, until this controller's next decision.
 *
 * @param reason one CamelCase word
 * @param message one sentence for people, without personal data
 */
export function blocked<Status extends object = never>(
  reason: string,
  message: string,
  options: DecisionOptions<Status> = {},
): Decision<Status> {
  return progressing(options, { conditions: [{ type: "Blocked", status: "True", reason, message }] });
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

function progressing<Status extends object>(
  options: DecisionOptions<Status>,
  more: Pick<Decision<Status>, "conditions">,
): Decision<Status> {
  const { status, ...rest } = options;
  return { outcome: "progressing", ...more, ...withStatus<Status>(status), ...rest };
}

function withStatus<Status extends object>(status: StatusInContext<Status> | undefined): { readonly status?: Status } {
  return status === undefined ? {} : { status: status as Status }; // the same type, which TypeScript cannot see through NoInfer
}
