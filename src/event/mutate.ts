/**
 * The only writer of status and finalizers, and the only maker of derived events (P7).
 *
 * Everything here is pure: the same basis and the same decision give the same events with the same ids, so a second
 * delivery cannot add a second event.
 */
import { assert, limits } from "../kernel/index.js";
import type { AppendItem } from "./append-item.js";
import { type ConditionReport, conditionsKey, sameConditions } from "./conditions.js";
import { type CheckedDecision, checkDecisions, decisionInvalid, reservedControllerNames } from "./decision-check.js";
import { checkDeclared } from "./declared-schema.js";
import type { AggregateDefinition, AppDefinition, Decision } from "./definitions.js";
import { deadLetterComponent, derivedEventId, retiredComponent } from "./derived.js";
import { type Derivation, DerivedAppend } from "./derived-append.js";
import { askSpecText, type EffectResult, effectComponent, effectResultId } from "./effects.js";
import { type ResolvedEmit, resolveEmit } from "./emits.js";
import type { DraftEvent, StoredFields } from "./event.js";
import { jsonEqual } from "./json-equal.js";
import { mergeObject } from "./merge-patch.js";
import { open } from "./open.js";
import type { EffectFailure, Resource } from "./resource.js";

/** One reconcile's result and what it was decided on. */
export interface DecideInput {
  /** The basis: the verified fold that the controller saw. */
  readonly resource: Resource;
  readonly aggregate: AggregateDefinition;
  readonly controller: string;
  readonly decisions: Decision | readonly Decision[] | undefined;
  /** Effects that it asked for and that nobody has asked for before. */
  readonly asks?: readonly EffectAsk[];
  /** Versions of other resources that it looked at; see DecisionStamp. */
  readonly lookups?: Readonly<Record<string, number>>;
  /** For what it emits; absent where a controller is tried without its app. */
  readonly app?: Pick<AppDefinition, "aggregates" | "controllers">;
  /** `ctx.now` of the reconcile, RFC 3339. */
  readonly now: string;
}

/** An effect to ask for. */
export interface EffectAsk {
  readonly worker: string;
  /** The input in its canonical form. */
  readonly inputText: string;
  /** Which call of `effects.get` in the reconcile it was, from 0. */
  readonly step: number;
}

/** What becomes of a reconcile. */
export interface Decided {
  /** One atomic append; empty when the decision changes nothing. */
  readonly items: readonly AppendItem[];
  /** The smallest that was asked for; null when none was, or after a rejection. */
  readonly requeueAfterMs: number | null;
  /** How the generation stands after the items. */
  readonly settled: Resource["settled"];
}

/**
 * Turns a decision into derived events: those of the controller, and `<root>.ready` or `<root>.deleted` once all that the
 * generation waits for is complete.
 *
 * @throws EventplaneError `decision_invalid`
 */
function decide(input: DecideInput): Decided {
  const { resource, controller } = input;
  assert(!reservedControllerNames.includes(controller), `no controller is called ${controller}`);
  const decisions = checkDecisions(input.decisions, controller);
  const emitted = decisions.reduce((sum, { emits }) => sum + emits.length, 0);
  if (emitted > limits.emitsMax) throw decisionInvalid(controller, `it emits more than ${limits.emitsMax} at once`);
  const rejected = typeof decisions.at(-1)?.outcome === "object";
  const asked = decisions.flatMap(({ requeueAfterMs }) => requeueAfterMs ?? []);
  const requeueAfterMs = rejected || asked.length === 0 ? null : Math.min(...asked);
  // A rejected deletion could never end: no later generation may open while a resource is deleting.
  if (rejected && resource.lifecycle === "deleting")
    throw decisionInvalid(
      controller,
      "a deletion cannot be rejected; return blocked(reason, message) until it can be done",
    );
  if (resource.origin === null || resource.lifecycle === "deleted")
    return { items: [], requeueAfterMs: null, settled: resource.settled };

  const append = new DerivedAppend(resource, input.now);
  for (const ask of input.asks ?? []) append.add(askOf(ask, input));
  const intents: ResolvedEmit[] = [];
  for (const [index, decision] of decisions.entries()) {
    const emits = freshEmits(append.after, decision, input);
    const place = { index, last: index === decisions.length - 1, emits: emits.map(({ id }) => id) };
    const derivation = derive(append.after, decision, { ...input, ...place });
    if (derivation === undefined) continue;
    append.add(derivation);
    for (const [step, emit] of emits.entries()) if (emit.isOwn) append.addOwn(emit, { kind: derivation.kind, step });
    intents.push(...emits.filter(({ isOwn }) => !isOwn));
  }
  append.addEnd();
  const { app } = input;
  if (app !== undefined) for (const [step, emit] of intents.entries()) append.addIntent(emit, { app, step });
  return { items: append.items, requeueAfterMs, settled: append.after.settled };
}

/**
 * `<root>.ready` or `<root>.deleted` when nothing that the generation waits for is open; undefined otherwise. The
 * built-in component `runtime` asks so for generations that no controller was expected for.
 */
function ready(resource: Resource, now: string): AppendItem | undefined {
  const append = new DerivedAppend(resource, now);
  append.addEnd();
  return append.items[0];
}

/** The internal event that makes a dead letter visible on the resource: condition `Stalled`. */
function deadLettered(input: {
  readonly resource: Resource;
  readonly controller: string;
  readonly attempts: number;
  /** An error code or the name of an error; no payloads. */
  readonly code: string;
  readonly now: string;
}): AppendItem {
  const { resource, controller } = input;
  const append = new DerivedAppend(resource, input.now);
  append.add({
    kind: "internal",
    type: `${resource.aggregateType}.dead-lettered`,
    component: deadLetterComponent(controller),
    step: 0,
    status: {
      [conditionsKey]: [
        {
          type: "Stalled",
          status: "True",
          reason: "DeadLettered",
          message: `Controller ${controller} failed ${input.attempts} times, last with ${input.code}. Redrive or discard its dead letter.`,
        },
      ],
    },
    finalizers: {},
    effect: "derived",
  });
  const [item] = append.items;
  assert(item !== undefined, "an added derivation is an item");
  return item;
}

/** A controller that nobody runs any more, and why. */
export interface Retirement {
  readonly resource: Resource;
  readonly controller: string;
  /** A sentence for people, without personal data. */
  readonly reason: string;
  /** Id of the fact that asked for it. */
  readonly requestId: string;
  /** RFC 3339. */
  readonly now: string;
}

/**
 * Completes a controller's part of the current generation in its place, ends what it and its dead letter say, and notes that
 * the resource is ready or deleted if nothing else is open. Nothing when the resource waits for no such controller and
 * nothing of it stands.
 */
function retired({ resource, controller, reason, requestId, now }: Retirement): readonly AppendItem[] {
  const mark = resource.finalizers[controller];
  const isOpen =
    resource.expected.includes(controller) &&
    !(mark?.completed === true && mark.observedGeneration === resource.generation);
  const said = [controller, deadLetterComponent(controller)];
  const stands = resource.conditions.some(({ component }) => said.includes(component));
  if (resource.origin === null || resource.lifecycle === "deleted" || !(isOpen || stands)) return [];
  const append = new DerivedAppend(resource, now);
  append.add({
    kind: "fact",
    type: `${resource.aggregateType}.controller-retired`,
    component: retiredComponent(controller),
    step: 0,
    specText: JSON.stringify({ controller, reason, requestId }),
    status: {},
    finalizers: { [controller]: { completed: true, observedGeneration: resource.generation } },
    effect: "derived",
  });
  append.addEnd();
  return append.items;
}

/** What became of an ask. `retries`: how often somebody decided to call again, so that each hold is an event of its own. */
export type EffectNews =
  | { readonly result: EffectResult }
  | { readonly unknown: EffectFailure; readonly retries: number }
  | { readonly dead: EffectFailure };

/**
 * The event that tells what became of a verified ask: its result (DESIGN §13.5), that it is held as unknown, or that it is
 * a dead letter. It follows from the ask alone, wherever the resource is by now, so it names the ask as its cause.
 */
function effectNews(
  ask: DraftEvent & Pick<StoredFields, "version">,
  worker: string,
  news: EffectNews & { readonly now: string },
): AppendItem {
  const { tenantId, aggregateType, version } = ask;
  const [role, tail, payload, step] =
    "result" in news
      ? (["result", "ok" in news.result ? "effect-succeeded" : "effect-failed", news.result, 0] as const)
      : "unknown" in news
        ? (["unknown", "effect-unknown", { unknown: news.unknown }, news.retries] as const)
        : (["dead", "dead-lettered", { dead: news.dead }, 0] as const);
  const component = effectComponent(role, worker);
  const event: DraftEvent = {
    id:
      role === "result"
        ? effectResultId(tenantId, ask.id, worker)
        : derivedEventId({ tenantId, originId: ask.id, component, basisVersion: version, step }),
    tenantId,
    kind: role === "result" ? "fact" : "internal",
    aggregateType,
    aggregateId: ask.aggregateId,
    type: `${aggregateType}.${tail}`,
    schemaVersion: 1,
    specText: "{}",
    statusText: JSON.stringify(payload),
    finalizersText: "{}",
    source: null,
    causedByText: ask.causedByText,
    correlationId: ask.correlationId,
    causationId: ask.id,
    decision: { component, basisVersion: version, step, now: news.now },
    keyRefsText: null,
    occurredAt: null,
    traceparent: ask.traceparent,
  };
  return { event, effect: "derived", expectedVersion: "streamExists" };
}

/** The writer of status and finalizers. */
export const mutate: {
  readonly open: typeof open;
  readonly decide: typeof decide;
  readonly ready: typeof ready;
  readonly deadLettered: typeof deadLettered;
  readonly retired: typeof retired;
  readonly effectNews: typeof effectNews;
} = { open, decide, ready, deadLettered, retired, effectNews };

function askOf({ worker, inputText, step }: EffectAsk, { resource, controller, lookups }: DecideInput): Derivation {
  return {
    kind: "internal",
    type: `${resource.aggregateType}.effect-asked`,
    component: effectComponent("ask", worker),
    step,
    specText: askSpecText({ controller, worker, inputText }),
    status: {},
    finalizers: {},
    effect: "derived",
    lookups,
  };
}

/** What a decision emits and this generation does not list yet. */
function freshEmits(
  current: Resource,
  { emits }: CheckedDecision,
  { controller, app }: DecideInput,
): readonly ResolvedEmit[] {
  const fail = (why: string): Error => decisionInvalid(controller, why);
  const resolved = emits.map((emit) => resolveEmit(emit, { resource: current, controller, app, fail }));
  const fresh = new Map(resolved.filter(({ id }) => !current.emits.includes(id)).map((emit) => [emit.id, emit]));
  if (current.emits.length + fresh.size > limits.emitsPerGenerationMax)
    throw fail(`this generation would have more than ${limits.emitsPerGenerationMax} emits`);
  return [...fresh.values()];
}

/** One element of a decision as an event; undefined when it changes nothing. */
function derive(
  current: Resource,
  decision: CheckedDecision,
  context: DecideInput & { readonly index: number; readonly last: boolean; readonly emits: readonly string[] },
): Derivation | undefined {
  const { controller, last } = context;
  const stated = decision.conditions ?? (last ? [] : ownReports(current, controller));
  const rejection = last && typeof decision.outcome === "object" ? decision.outcome.rejected : undefined;
  const reports: readonly ConditionReport[] =
    rejection === undefined ? stated : [...stated, { type: "Rejected", status: "True", ...rejection }];
  const completed = decision.outcome === "completed";
  const mark = { completed, observedGeneration: current.generation };
  const changes =
    statusChanges(current, decision, context) ||
    context.emits.length > 0 ||
    !sameConditions(current, controller, reports) ||
    (last &&
      !jsonEqual(
        current.finalizers[controller] === undefined ? undefined : { ...current.finalizers[controller] },
        mark,
      ));
  if (!changes) return undefined;
  return {
    kind: last && (completed || rejection !== undefined) ? "fact" : "internal",
    type: rejection === undefined ? `${current.origin?.type}.${controller}` : `${current.aggregateType}.rejected`,
    component: controller,
    step: context.index,
    status: {
      ...(decision.status === undefined ? {} : { [controller]: decision.status }),
      ...(reports.length === 0 ? {} : { [conditionsKey]: reports.map((report) => ({ ...report })) }),
    },
    finalizers: last ? { [controller]: mark } : {},
    effect: "derived",
    emits: context.emits,
    lookups: context.lookups,
  };
}

function statusChanges(current: Resource, decision: CheckedDecision, context: DecideInput): boolean {
  if (decision.status === undefined) return false;
  const { controller, aggregate } = context;
  const before = Object.hasOwn(current.status, controller) ? current.status[controller] : undefined;
  const merged = mergeObject(before, decision.status);
  const problem = checkDeclared(aggregate.statusSchemas[controller], merged, "beside");
  if (problem !== undefined)
    throw decisionInvalid(controller, `its status does not match the schema of ${aggregate.name}: ${problem}`);
  return !jsonEqual(before, merged);
}

function ownReports(resource: Resource, component: string): readonly ConditionReport[] {
  return resource.conditions
    .filter((condition) => condition.component === component)
    .map(({ type, status, reason, message }) => ({ type, status, reason, message }));
}
