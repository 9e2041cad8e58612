/**
 * The fold: a stream's events, in version order, become its resource (DESIGN §3 "Fold", §13.3). Pure.
 */
import { EventplaneError, formatUs, type JsonObject, type TenantId } from "../kernel/index.js";
import { clearedForNewGeneration, replaceConditions, withReady } from "./conditions.js";
import type { AggregateDefinition } from "./definitions.js";
import { isSpecBearing, retiredOfComponent, runtimeComponent } from "./derived.js";
import { effectComponent, effectReports, effectRoleOf, foldEffects } from "./effects.js";
import { emitterOfComponent } from "./emits.js";
import type { DraftEvent, Finalizers, Lifecycle, StoredFields } from "./event.js";
import { deepFreeze, isJsonObject, mergeObject } from "./merge-patch.js";
import type { Condition, Phase, Resource } from "./resource.js";
import { parseStored } from "./stored-json.js";
import { liftSpec } from "./upcast.js";

/** What the fold needs of a row. */
export type FoldableRow = DraftEvent &
  Pick<StoredFields, "version" | "position" | "generation" | "lifecycle" | "recordedAtUs">;

/** The name of a stream. */
interface StreamName {
  readonly tenantId: TenantId;
  readonly aggregateType: string;
  readonly aggregateId: string;
}

const emptySpec: JsonObject = Object.freeze({});
const beforeTheFirst = formatUs(0);

/** The resource of a stream without events: version 0, generation 0, lifecycle `none`. */
export function emptyFold(stream: StreamName): Resource {
  return Object.freeze({
    tenantId: stream.tenantId,
    aggregateType: stream.aggregateType,
    aggregateId: stream.aggregateId,
    version: 0,
    position: 0,
    generation: 0,
    lifecycle: "none",
    phase: "Pending",
    spec: emptySpec,
    status: emptySpec,
    finalizers: Object.freeze({}),
    conditions: Object.freeze([]),
    effects: Object.freeze({}),
    emits: Object.freeze([]),
    reconciles: Object.freeze({}),
    expected: Object.freeze([]),
    settled: null,
    origin: null,
    createdAt: beforeTheFirst,
    updatedAt: beforeTheFirst,
  });
}

/**
 * The resource with the next event of its stream folded in. Parts that the event does not touch are shared with the
 * resource before.
 *
 * Give verified rows only: generation and lifecycle of a row are not hashed, so they are checked here against what the
 * event itself says.
 *
 * @param resource undefined for the first event
 * @param aggregate undefined for types that the app does not declare (any more): their specs merge
 * Specs of older versions are lifted first.
 *
 * @throws EventplaneError `upcast_failed`; `event_corrupt` when the row is not the next one of its stream or its life makes no sense
 */
export function foldEvent(
  resource: Resource | undefined,
  row: FoldableRow,
  aggregate: AggregateDefinition | undefined,
): Resource {
  const before = resource ?? emptyFold(row);
  checkNext(before, row, aggregate);
  if (isSpecBearing(row)) return openGeneration(before, row, aggregate);
  if (row.decision !== null) {
    const { component } = row.decision;
    // What a controller emits on its own resource tells others; the resource stays as the decision beside it made it.
    if (emitterOfComponent(component) !== undefined) return Object.freeze({ ...before, ...place(before, row) });
    return effectRoleOf(component) === undefined
      ? foldDerived(before, row, component)
      : foldEffect(before, row, component);
  }
  return Object.freeze({ ...before, ...place(before, row) });
}

/** True when every expected controller has completed the current generation. */
export function allComplete(resource: Pick<Resource, "expected" | "finalizers" | "generation">): boolean {
  return resource.expected.every((name) => {
    const finalizer = resource.finalizers[name];
    return finalizer?.completed === true && finalizer.observedGeneration === resource.generation;
  });
}

function openGeneration(before: Resource, row: FoldableRow, aggregate: AggregateDefinition | undefined): Resource {
  const intent = aggregate?.intents.get(row.type);
  const intentSpec = deepFreeze(liftSpec(intent, row, storedObject(row, "specText")));
  const reborn = before.lifecycle === "deleted";
  const spec = foldSpec(reborn ? emptySpec : before.spec, intentSpec, intent?.fold);
  const set = finalizersOf(row);
  const next = {
    ...before,
    ...place(before, row),
    generation: before.generation + 1,
    lifecycle: row.lifecycle,
    spec: deepFreeze(spec),
    status: reborn ? emptySpec : before.status,
    finalizers: Object.freeze(reborn ? set : { ...before.finalizers, ...set }),
    effects: reborn ? Object.freeze({}) : before.effects,
    emits: Object.freeze([]),
    reconciles: Object.freeze({}),
    expected: Object.freeze(Object.keys(set)),
    settled: null,
    origin: Object.freeze({
      id: row.id,
      type: row.type,
      spec: intentSpec,
      correlationId: row.correlationId,
      version: row.version,
      recordedAt: formatUs(row.recordedAtUs),
      traceparent: row.traceparent,
      causedByText: row.causedByText,
    }),
  };
  return finish(next, reborn ? [] : clearedForNewGeneration(before.conditions), "Pending");
}

function foldSpec(
  spec: JsonObject,
  intentSpec: JsonObject,
  fold: "merge" | "replace" | ((spec: JsonObject, intentSpec: JsonObject) => JsonObject) = "merge",
): JsonObject {
  if (fold === "replace") return mergeObject(undefined, intentSpec);
  return fold === "merge" ? mergeObject(spec, intentSpec) : fold(spec, intentSpec);
}

function foldDerived(before: Resource, row: FoldableRow, component: string): Resource {
  const { conditions: reported, ...own } = storedObject(row, "statusText");
  const patch = Object.hasOwn(own, component) ? own[component] : undefined;
  const set = finalizersOf(row);
  const next = {
    ...before,
    ...place(before, row),
    lifecycle: row.lifecycle,
    status: isJsonObject(patch)
      ? deepFreeze({ ...before.status, [component]: mergeObject(before.status[component], patch) })
      : before.status,
    finalizers: Object.keys(set).length === 0 ? before.finalizers : Object.freeze({ ...before.finalizers, ...set }),
    settled: settledBy(row) ?? before.settled,
    emits: listedEmits(before, row),
    // The mark is on the one event that ends a decision.
    reconciles: Object.hasOwn(set, component) ? counted(before.reconciles, component) : before.reconciles,
  };
  // Who is retired says nothing any more.
  const speaker = retiredOfComponent(component) ?? component;
  const conditions = replaceConditions(before.conditions, speaker, Array.isArray(reported) ? reported : [], {
    generation: next.generation,
    at: next.updatedAt,
  });
  return finish(next, conditions, "Progressing");
}

function counted(counts: Readonly<Record<string, number>>, component: string): Readonly<Record<string, number>> {
  return Object.freeze({ ...counts, [component]: (counts[component] ?? 0) + 1 });
}

function listedEmits({ emits }: Resource, { decision }: FoldableRow): Resource["emits"] {
  return decision?.emits === undefined ? emits : Object.freeze([...emits, ...decision.emits]);
}

/** What is asked of a worker, and what became of it; status and finalizers are the controllers' own. */
function foldEffect(before: Resource, row: FoldableRow, component: string): Resource {
  const payload = { spec: storedObject(row, "specText"), status: storedObject(row, "statusText") };
  const effects = foldEffects(before.effects, row, payload);
  const next = { ...before, ...place(before, row), lifecycle: row.lifecycle, effects };
  const worker = component.slice(component.lastIndexOf(":") + 1);
  const now = { generation: next.generation, at: next.updatedAt };
  const reports = effectReports(effects, worker);
  const conditions = [effectComponent("dead", worker), effectComponent("unknown", worker)].reduce(
    (stated, of) =>
      replaceConditions(
        stated,
        of,
        reports.filter((report) => report.component === of),
        now,
      ),
    before.conditions,
  );
  return finish(next, conditions, "Progressing");
}

/** Which end of the generation a derived event notes. */
function settledBy(row: FoldableRow): Resource["settled"] {
  const root = row.aggregateType;
  if (row.type === `${root}.rejected`) return "rejected";
  if (row.decision?.component !== runtimeComponent) return null;
  if (row.type === `${root}.ready`) return "ready";
  return row.type === `${root}.deleted` ? "deleted" : null;
}

/** Adds what follows from the rest: the Ready condition and the phase. */
function finish(
  next: Omit<Resource, "phase" | "conditions">,
  conditions: readonly Condition[],
  unsettled: Phase,
): Resource {
  const ready = next.settled === "ready" && allComplete(next);
  const withReadiness = withReady(conditions, next, ready);
  const stalled = withReadiness.some(({ type, status }) => type === "Stalled" && status === "True");
  const phase = phaseOf(next.lifecycle, { rejected: next.settled === "rejected", ready, stalled, unsettled });
  return Object.freeze({ ...next, conditions: Object.freeze(withReadiness), phase });
}

function phaseOf(
  lifecycle: Lifecycle,
  state: { readonly rejected: boolean; readonly ready: boolean; readonly stalled: boolean; readonly unsettled: Phase },
): Phase {
  if (lifecycle === "deleted") return "Deleted";
  if (state.rejected) return "Failed";
  if (state.ready) return "Ready";
  if (state.stalled) return "Failed";
  return lifecycle === "deleting" ? "Deleting" : state.unsettled;
}

function place(before: Resource, row: FoldableRow): Pick<Resource, "version" | "position" | "createdAt" | "updatedAt"> {
  const updatedAt = formatUs(row.recordedAtUs);
  return {
    version: row.version,
    position: row.position,
    createdAt: before.version === 0 ? updatedAt : before.createdAt,
    updatedAt,
  };
}

function storedObject(row: FoldableRow, field: "specText" | "statusText" | "finalizersText"): JsonObject {
  const value = parseStored(row[field], row);
  if (!isJsonObject(value)) throw corrupt(row, `its ${field.slice(0, -4)} is not an object`);
  return value;
}

function finalizersOf(row: FoldableRow): Finalizers {
  if (row.finalizersText === "{}") return {};
  const set: Record<string, { completed: boolean; observedGeneration: number }> = {};
  for (const [name, mark] of Object.entries(storedObject(row, "finalizersText"))) {
    if (!isJsonObject(mark) || typeof mark.completed !== "boolean" || typeof mark.observedGeneration !== "number") {
      throw corrupt(row, "its finalizers are no finalizers");
    }
    set[name] = Object.freeze({ completed: mark.completed, observedGeneration: mark.observedGeneration });
  }
  return set;
}

function checkNext(before: Resource, row: FoldableRow, aggregate: AggregateDefinition | undefined): void {
  if (
    row.tenantId !== before.tenantId ||
    row.aggregateType !== before.aggregateType ||
    row.aggregateId !== before.aggregateId
  ) {
    throw corrupt(row, "it belongs to another stream than the one it is folded into");
  }
  if (row.version !== before.version + 1) throw corrupt(row, `it follows version ${before.version}`);
  const specBearing = isSpecBearing(row);
  const generation = before.generation + (specBearing ? 1 : 0);
  if (row.generation !== generation)
    throw corrupt(row, `its generation is ${row.generation} where ${generation} follows`);
  const lifecycle = specBearing ? lifecycleOpened(before, row, aggregate) : lifecycleKept(before, row);
  if (row.lifecycle !== lifecycle) throw corrupt(row, `its lifecycle is ${row.lifecycle} where ${lifecycle} follows`);
}

/** The life after a spec-bearing event; from the declared effect where it is known. */
function lifecycleOpened(before: Resource, row: FoldableRow, aggregate: AggregateDefinition | undefined): Lifecycle {
  if (before.lifecycle === "deleting") throw corrupt(row, "it opens a generation of a resource that is being deleted");
  const effect = aggregate?.intents.get(row.type)?.effect;
  if (effect === undefined) return row.lifecycle === "deleting" ? "deleting" : "live";
  return effect === "deletes" ? "deleting" : "live";
}

function lifecycleKept(before: Resource, row: FoldableRow): Lifecycle {
  return row.decision !== null && settledBy(row) === "deleted" ? "deleted" : before.lifecycle;
}

function corrupt(row: FoldableRow, why: string): EventplaneError {
  return new EventplaneError(
    "event_corrupt",
    `Event ${row.id} (version ${row.version} of ${row.aggregateType}/${row.aggregateId}) does not fit its stream: ${why}. ` +
      "Run `evtctl verify`; if an intent changed its effect in the configuration, give it a new type instead.",
    { details: { tenantId: row.tenantId, position: row.position, version: row.version } },
  );
}
