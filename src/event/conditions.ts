/**
 * Conditions of a resource: who may state which, and how they change from event to event.
 */
import type { JsonValue } from "../kernel/index.js";
import { deadLetterComponent, runtimeComponent } from "./derived.js";
import { effectRoleOf } from "./effects.js";
import { isJsonObject } from "./merge-patch.js";
import type { Condition, Resource } from "./resource.js";

/** What a component says; the fold adds who, for which generation and since when. */
export type ConditionReport = Pick<Condition, "type" | "status" | "reason" | "message">;

/** Condition types that only the runtime states. */
export const reservedConditionTypes: readonly string[] = ["Ready", "Stalled", "Rejected", "OutcomeUnknown"];

/** The key of event.status under which conditions travel. */
export const conditionsKey = "conditions";

/** A new generation starts without verdicts on the one before; effects go on, so what stands in their way does too. */
export function clearedForNewGeneration(conditions: readonly Condition[]): readonly Condition[] {
  return conditions.filter(
    ({ type, component }) => type !== "Rejected" && (type !== "Stalled" || effectRoleOf(component) === "dead"),
  );
}

/**
 * The conditions after an event of `component`, which states all of its own: others of it are gone. It also ends the
 * component's dead letter.
 */
export function replaceConditions(
  conditions: readonly Condition[],
  component: string,
  reported: readonly JsonValue[],
  now: { readonly generation: number; readonly at: string },
): readonly Condition[] {
  const gone = new Set([component, deadLetterComponent(component)]);
  const kept = conditions.filter((condition) => condition.type === "Ready" || !gone.has(condition.component));
  if (kept.length === conditions.length && reported.length === 0) return conditions;
  const stated = reported.flatMap((report) => {
    const wanted = readReport(report);
    return wanted === undefined ? [] : [changed(conditions, { ...wanted, component }, now)];
  });
  return [...kept, ...stated];
}

/** The conditions with the runtime's `Ready` as it now is. */
export function withReady(
  conditions: readonly Condition[],
  resource: Pick<Resource, "generation" | "lifecycle" | "settled" | "updatedAt" | "expected" | "finalizers">,
  ready: boolean,
): readonly Condition[] {
  const report = {
    type: "Ready",
    status: ready ? "True" : "False",
    ...readyReason(resource, ready),
    component: runtimeComponent,
  } as const;
  const next = changed(conditions, report, { generation: resource.generation, at: resource.updatedAt });
  return [next, ...conditions.filter(({ type }) => type !== "Ready")];
}

/** True when the component has nothing to add to what the resource says of it already. */
export function sameConditions(resource: Resource, component: string, reports: readonly ConditionReport[]): boolean {
  const now = resource.conditions.filter(
    (condition) => condition.component === component && condition.type !== "Ready",
  );
  const stalled = resource.conditions.some((condition) => condition.component === deadLetterComponent(component));
  return (
    !stalled &&
    now.length === reports.length &&
    reports.every(({ type, status, reason, message }) =>
      now.some((it) => it.type === type && it.status === status && it.reason === reason && it.message === message),
    )
  );
}

function readyReason(
  resource: Pick<Resource, "generation" | "lifecycle" | "settled" | "expected" | "finalizers">,
  ready: boolean,
): Pick<Condition, "reason" | "message"> {
  if (ready) return { reason: "Completed", message: "Every controller has completed this generation." };
  if (resource.lifecycle === "deleted") return { reason: "Deleted", message: "The resource is deleted." };
  if (resource.settled === "rejected") return { reason: "Rejected", message: "A controller rejected this generation." };
  const waiting = resource.expected.filter((name) => {
    const mark = resource.finalizers[name];
    return mark?.completed !== true || mark.observedGeneration !== resource.generation;
  });
  const reason = resource.lifecycle === "deleting" ? "Deleting" : "Progressing";
  return { reason, message: waiting.length === 0 ? "Every controller is done." : `Waiting for ${waiting.join(", ")}.` };
}

/** The condition as reported, with the time of its last change of status. */
function changed(
  conditions: readonly Condition[],
  report: ConditionReport & Pick<Condition, "component">,
  now: { readonly generation: number; readonly at: string },
): Condition {
  const before = conditions.find(({ type, component }) => type === report.type && component === report.component);
  const same = before?.status === report.status;
  if (
    same &&
    before.reason === report.reason &&
    before.message === report.message &&
    before.observedGeneration === now.generation
  ) {
    return before;
  }
  const lastTransitionTime = same ? before.lastTransitionTime : now.at;
  return Object.freeze({ ...report, observedGeneration: now.generation, lastTransitionTime });
}

function readReport(value: JsonValue): ConditionReport | undefined {
  if (!isJsonObject(value)) return undefined;
  const { type, status, reason, message } = value;
  if (typeof type !== "string" || typeof reason !== "string" || typeof message !== "string") return undefined;
  if (status !== "True" && status !== "False" && status !== "Unknown") return undefined;
  return { type, status, reason, message };
}
