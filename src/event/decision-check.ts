/**
 * Controllers are the team's code: what they return is checked before anything is made of it.
 */
import { EventplaneError, type JsonObject, type JsonValue } from "../kernel/index.js";
import { type ConditionReport, conditionsKey, reservedConditionTypes } from "./conditions.js";
import type { Decision } from "./definitions.js";
import { reservedTails, runtimeComponent } from "./derived.js";
import { isAggregateId } from "./envelope.js";
import { jsonProblem } from "./json-safe.js";
import { isJsonObject } from "./merge-patch.js";

/** Ten years: what a due time in the database can hold with ease. */
const requeueAfterMsMax = 315_360_000_000;
const conditionsMax = 16;
const messageCharactersMax = 1_024;
const camelCase = /^[A-Za-z][A-Za-z0-9]{0,63}$/;

/** Names that no controller may have: they mean something else in status, components and types. */
export const reservedControllerNames: readonly string[] = [conditionsKey, runtimeComponent, ...reservedTails];

/** The platform's own component that decides, as controllers do, on replays; no controller of an app may have its name. */
export const replayerComponent = "replayer";

/** A decision whose every part is known to be what it says. */
export interface CheckedDecision {
  readonly outcome:
    | "progressing"
    | "completed"
    | { readonly rejected: { readonly reason: string; readonly message: string } };
  readonly status: JsonObject | undefined;
  /** undefined: not stated. */
  readonly conditions: readonly ConditionReport[] | undefined;
  readonly requeueAfterMs: number | undefined;
  readonly emits: readonly CheckedEmit[];
}

/** An emit whose every part is known to be what it says. */
export interface CheckedEmit {
  readonly type: string;
  readonly spec: JsonObject;
  /** undefined: that of the resource. */
  readonly aggregateId: string | undefined;
}

/** `decision_invalid`, naming the controller. */
export function decisionInvalid(controller: string, why: string): EventplaneError {
  return new EventplaneError(
    "decision_invalid",
    `Controller ${controller} returned a decision that cannot be used: ${why}.`,
    {
      details: { controller },
    },
  );
}

/**
 * The decisions of one reconcile as a list; empty when it decided nothing.
 *
 * @throws EventplaneError `decision_invalid`
 */
export function checkDecisions(returned: unknown, controller: string): readonly CheckedDecision[] {
  if (returned === undefined) return [];
  const list: readonly unknown[] = Array.isArray(returned) ? returned : [returned];
  return list.map((decision, index) => {
    const at = Array.isArray(returned) ? ` (element ${index})` : "";
    if (typeof decision !== "object" || decision === null)
      throw decisionInvalid(controller, `it is ${decision === null ? "null" : `a ${typeof decision}`}${at}`);
    if ("then" in decision) throw decisionInvalid(controller, `it is a promise${at}; reconcile must be synchronous`);
    return checkOne(decision as Partial<Record<keyof Decision, unknown>>, (why) =>
      decisionInvalid(controller, why + at),
    ); // any object may be asked for members
  });
}

type Fail = (why: string) => EventplaneError;

function checkOne(decision: Partial<Record<keyof Decision, unknown>>, fail: Fail): CheckedDecision {
  return {
    outcome: checkOutcome(decision.outcome, fail),
    status: checkStatus(decision.status, fail),
    conditions: checkConditions(decision.conditions, fail),
    requeueAfterMs: checkRequeue(decision.requeueAfterMs, fail),
    emits: checkEmits(decision.emit, fail),
  };
}

function checkOutcome(outcome: unknown, fail: Fail): CheckedDecision["outcome"] {
  if (outcome === "progressing" || outcome === "completed") return outcome;
  const rejected = isJsonObject(outcome) ? outcome.rejected : undefined;
  if (!isJsonObject(rejected))
    throw fail("its outcome is none of progressing, completed, { rejected }; use done, pending, blocked or reject");
  return { rejected: checkReason(rejected, "the rejection", fail) };
}

function checkReason(
  value: JsonObject,
  what: string,
  fail: Fail,
): { readonly reason: string; readonly message: string } {
  const { reason, message } = value;
  if (typeof reason !== "string" || !camelCase.test(reason))
    throw fail(`the reason of ${what} is not one CamelCase word of at most 64 characters`);
  if (typeof message !== "string" || message.length > messageCharactersMax || jsonProblem(message) !== undefined) {
    throw fail(`the message of ${what} is not a text of at most ${messageCharactersMax} characters`);
  }
  return { reason, message };
}

function checkStatus(status: unknown, fail: Fail): JsonObject | undefined {
  if (status === undefined) return undefined;
  const problem = jsonProblem(status, "/status");
  if (problem !== undefined) throw fail(problem);
  if (!isJsonObject(status)) throw fail("its status is not an object");
  return JSON.parse(JSON.stringify(status)) as JsonObject; // an object in, an object out; drops undefined members and detaches it from the controller
}

function checkConditions(conditions: unknown, fail: Fail): readonly ConditionReport[] | undefined {
  if (conditions === undefined) return undefined;
  if (!Array.isArray(conditions) || conditions.length > conditionsMax)
    throw fail(`its conditions are no list of at most ${conditionsMax}`);
  const types = new Set<string>();
  return conditions.map((condition: JsonValue) => {
    if (!isJsonObject(condition)) throw fail("a condition is not an object");
    const { type, status } = condition;
    if (typeof type !== "string" || !camelCase.test(type))
      throw fail("a condition's type is not one CamelCase word of at most 64 characters");
    if (reservedConditionTypes.includes(type)) throw fail(`the condition ${type} is the runtime's own`);
    if (types.has(type)) throw fail(`it states the condition ${type} twice`);
    types.add(type);
    if (status !== "True" && status !== "False" && status !== "Unknown")
      throw fail(`the status of condition ${type} is none of True, False, Unknown`);
    return { type, status, ...checkReason(condition, `condition ${type}`, fail) };
  });
}

function checkRequeue(ms: unknown, fail: Fail): number | undefined {
  if (ms === undefined) return undefined;
  if (typeof ms === "number" && ms > 0 && ms <= requeueAfterMsMax) return ms;
  throw fail(`requeueAfterMs must be a number of milliseconds above 0 and at most ${requeueAfterMsMax}`);
}

const emitMembers: readonly string[] = ["type", "spec", "aggregateId"];

function checkEmits(emit: unknown, fail: Fail): readonly CheckedEmit[] {
  if (emit === undefined) return [];
  const list: readonly unknown[] = Array.isArray(emit) ? emit : [emit];
  return list.map((one) => {
    if (!isJsonObject(one)) throw fail("what it emits is no object");
    const { type, spec = {}, aggregateId } = one;
    // Above all, nothing names another tenant, another cause or somebody else.
    const unknown = Object.keys(one).find((name) => !emitMembers.includes(name));
    if (unknown !== undefined)
      throw fail(`an emit has type, spec and aggregateId; it has ${JSON.stringify(unknown.slice(0, 64))} as well`);
    if (typeof type !== "string") throw fail("what it emits has no type");
    const problem = jsonProblem(spec, "/emit/spec");
    if (problem !== undefined) throw fail(problem);
    if (!isJsonObject(spec)) throw fail(`the spec of the ${type} that it emits is not an object`);
    if (aggregateId !== undefined && (typeof aggregateId !== "string" || !isAggregateId(aggregateId)))
      throw fail(`the ${type} that it emits has an aggregateId that cannot be one`);
    return { type, spec: JSON.parse(JSON.stringify(spec)) as JsonObject, aggregateId }; // an object in, an object out; drops undefined members
  });
}
