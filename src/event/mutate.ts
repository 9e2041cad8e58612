/**
 * The only writer of status and finalizers, and the only maker of derived events (P7).
 *
 * Everything here is pure: the same basis and the same decision give the same events with the same ids, so a second
 * delivery cannot add a second event.
 */
import { assert, type EventId, formatUs, type JsonObject, limits, parseUs } from "../kernel/index.js";
import type { AppendItem } from "./append-item.js";
import { type ConditionReport, conditionsKey, sameConditions } from "./conditions.js";
import { type CheckedDecision, checkDecisions, decisionInvalid, reservedControllerNames } from "./decision-check.js";
import type { AggregateDefinition, Decision } from "./definitions.js";
import { deadLetterComponent, derivedEventId, runtimeComponent } from "./derived.js";
import { askSpecText, type EffectResult, effectComponent, effectResultId } from "./effects.js";
import type { DraftEvent, Finalizers, StoredFields } from "./event.js";
import { allComplete, foldEvent } from "./fold.js";
import { jsonEqual } from "./json-equal.js";
import { mergeObject } from "./merge-patch.js";
import { open } from "./open.js";
import type { EffectFailure, Resource } from "./resource.js";
import { checkStatusSchema } from "./status-schema.js";

/** One reconcile's result and what it was decided on. */
export interface DecideInput {
  /** The basis: the verified fold that the controller saw. */
  readonly resource: Resource;
  readonly aggregate: AggregateDefinition;
  readonly controller: string;
  readonly decisions: Decision | readonly Decision[] | undefined;
  /** Effects that it asked for and that nobody has asked for before. */
  readonly asks?: readonly EffectAsk[];
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

/** What a derived event adds to what it copies from its origin. */
interface Derivation {
  readonly kind: "fact" | "internal";
  readonly type: string;
  readonly component: string;
  readonly step: number;
  /** JSON text; none is an empty object. */
  readonly specText?: string;
  readonly status: JsonObject;
  readonly finalizers: Finalizers;
  readonly effect: "derived" | "finishes";
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
  for (const [index, decision] of decisions.entries()) {
    const derivation = derive(append.after, decision, { ...input, index, last: index === decisions.length - 1 });
    if (derivation !== undefined) append.add(derivation);
  }
  append.addEnd();
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
  readonly effectNews: typeof effectNews;
} = { open, decide, ready, deadLettered, effectNews };

function askOf({ worker, inputText, step }: EffectAsk, { resource, controller }: DecideInput): Derivation {
  return {
    kind: "internal",
    type: `${resource.aggregateType}.effect-asked`,
    component: effectComponent("ask", worker),
    step,
    specText: askSpecText({ controller, worker, inputText }),
    status: {},
    finalizers: {},
    effect: "derived",
  };
}

/** One element of a decision as an event; undefined when it changes nothing. */
function derive(
  current: Resource,
  decision: CheckedDecision,
  context: DecideInput & { readonly index: number; readonly last: boolean },
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
  };
}

function statusChanges(current: Resource, decision: CheckedDecision, context: DecideInput): boolean {
  if (decision.status === undefined) return false;
  const { controller, aggregate } = context;
  const before = Object.hasOwn(current.status, controller) ? current.status[controller] : undefined;
  const merged = mergeObject(before, decision.status);
  const problem = checkStatusSchema(aggregate.statusSchemas[controller], merged);
  if (problem !== undefined)
    throw decisionInvalid(controller, `its status does not match the schema of ${aggregate.name}: ${problem}`);
  return !jsonEqual(before, merged);
}

function ownReports(resource: Resource, component: string): readonly ConditionReport[] {
  return resource.conditions
    .filter((condition) => condition.component === component)
    .map(({ type, status, reason, message }) => ({ type, status, reason, message }));
}

/** An append that grows event by event; each sees the ones before. */
class DerivedAppend {
  readonly items: AppendItem[] = [];
  /** The basis with the items folded in. */
  after: Resource;
  readonly #basis: Resource;
  readonly #nowUs: number;
  readonly #now: string;

  constructor(basis: Resource, now: string) {
    const us = parseUs(now);
    assert(us !== undefined, "the time of a decision is RFC 3339");
    this.#nowUs = us;
    this.#now = formatUs(us);
    this.#basis = basis;
    this.after = basis;
  }

  add(derivation: Derivation): void {
    const event = this.#draft(derivation);
    const expectedVersion = this.after.version;
    this.items.push({ event, effect: derivation.effect, expectedVersion });
    this.after = foldEvent(
      this.after,
      {
        ...event,
        version: expectedVersion + 1,
        position: this.after.position + 1,
        generation: this.after.generation,
        lifecycle: derivation.effect === "finishes" ? "deleted" : this.after.lifecycle,
        recordedAtUs: this.#nowUs,
      },
      undefined,
    );
  }

  /** Notes the end of the generation if it has come: at most once for each. */
  addEnd(): void {
    const { after } = this;
    if (after.origin === null || after.settled !== null || after.lifecycle === "deleted" || !allComplete(after)) return;
    const deleting = after.lifecycle === "deleting";
    this.add({
      kind: "fact",
      type: `${after.aggregateType}.${deleting ? "deleted" : "ready"}`,
      component: runtimeComponent,
      step: 0,
      status: {},
      finalizers: {},
      effect: deleting ? "finishes" : "derived",
    });
  }

  #draft(derivation: Derivation): DraftEvent {
    const { origin, tenantId, aggregateType, aggregateId, version } = this.#basis;
    assert(origin !== null, `a derived event of ${aggregateType}/${aggregateId} has an origin`);
    const { component, step } = derivation;
    const id: EventId = derivedEventId({ tenantId, originId: origin.id, component, basisVersion: version, step });
    const statusText = JSON.stringify(derivation.status);
    if (Buffer.byteLength(statusText) > limits.eventBytesMax / 2) {
      throw decisionInvalid(component, `its status has more than ${limits.eventBytesMax / 2} bytes`);
    }
    return {
      id,
      tenantId,
      kind: derivation.kind,
      aggregateType,
      aggregateId,
      type: derivation.type,
      schemaVersion: 1,
      specText: derivation.specText ?? "{}",
      statusText,
      finalizersText: JSON.stringify(derivation.finalizers),
      source: null,
      causedByText: origin.causedByText,
      correlationId: origin.correlationId,
      causationId: origin.id,
      decision: { component, basisVersion: version, step, now: this.#now },
      keyRefsText: null,
      occurredAt: null,
      traceparent: origin.traceparent,
    };
  }
}
