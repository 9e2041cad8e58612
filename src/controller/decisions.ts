/**
 * What reconcile returns, in words. The status is typed by the aggregate that the controller watches.
 */
import type { Decision, Emit } from "../event/index.js";

/**
 * The status that a helper takes: what the surrounding reconcile must return. Where TypeScript sees no such context (a
 * decision made outside of reconcile, or a reconcile without parameters) any object; the decision then has its type.
 */
export type StatusInContext<Status, Given> = [Status] extends [never] ? Given : NoInfer<Status>;

/** The status of the decision that a helper makes: that of its context, else what it was given. */
export type StatusOfDecision<Status, Given> = [Status] extends [never] ? Writable<Given> : Status;

/** Without `readonly`, so that a literal fits where a schema's type has an array that may be written. */
type Writable<Value> = Value extends object ? { -readonly [Key in keyof Value]: Writable<Value[Key]> } : Value;

/** What may go with a decision. */
export interface DecisionOptions<Status extends object = never, Given extends object = never> {
  /** Merged (RFC 7396) under `status.<controller>`. */
  readonly status?: StatusInContext<Status, Given>;
  /** Run again after this many milliseconds, > 0, even if nothing happens. */
  readonly requeueAfterMs?: number;
  /** Intents on other resources, and events of names of your own; each is made once in a generation. */
  readonly emit?: Emit | readonly Emit[];
}

/**
 * This controller's part of the generation is done.
 *
 * @example reconcile: ({ resource }) => done({ members: limits[resource.spec.plan] })
 */
export function done<Status extends object = never, const Given extends object = never>(
  status?: StatusInContext<Status, Given>,
  options: Pick<DecisionOptions, "requeueAfterMs" | "emit"> = {},
): Decision<StatusOfDecision<Status, Given>> {
  return { outcome: "completed", ...withStatus<Status, Given>(status), ...options };
}

/**
 * Not done yet; run again when something happens to the resource, or after `requeueAfterMs`.
 *
 * @example pending({ requeueAfterMs: 200 })
 */
export function pending<Status extends object = never, const Given extends object = never>(
  options: DecisionOptions<Status, Given> = {},
): Decision<StatusOfDecision<Status, Given>> {
  return progressing(options, {});
}

/**
 * Not done, and somebody should know why: condition `Blocked`, until this controller's next decision.
 *
 * @param reason one CamelCase word
 * @param message one sentence for people, without personal data
 */
export function blocked<Status extends object = never, const Given extends object = never>(
  reason: string,
  message: string,
  options: DecisionOptions<Status, Given> = {},
): Decision<StatusOfDecision<Status, Given>> {
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

function progressing<Status extends object, Given extends object>(
  options: DecisionOptions<Status, Given>,
  more: Pick<Decision, "conditions">,
): Decision<StatusOfDecision<Status, Given>> {
  const { status, ...rest } = options;
  return { outcome: "progressing", ...more, ...withStatus<Status, Given>(status), ...rest };
}

function withStatus<Status extends object, Given extends object>(
  status: StatusInContext<Status, Given> | undefined,
): { readonly status?: StatusOfDecision<Status, Given> } {
  return status === undefined ? {} : { status: status as StatusOfDecision<Status, Given> }; // the same value, which TypeScript cannot see through NoInfer
}
