/**
 * The events of one append of derived events, made one after the other; a part of mutate, the only writer of status and
 * finalizers. Pure.
 */
import { assert, type EventId, formatUs, type JsonObject, limits, parseUs } from "../kernel/index.js";
import type { AppendItem } from "./append-item.js";
import { decisionInvalid } from "./decision-check.js";
import type { AppDefinition } from "./definitions.js";
import { derivedEventId, runtimeComponent } from "./derived.js";
import type { ResolvedEmit } from "./emits.js";
import type { DecisionStamp, DraftEvent, Finalizers } from "./event.js";
import { allComplete, foldEvent } from "./fold.js";
import { open } from "./open.js";
import type { Resource } from "./resource.js";

/** What a derived event adds to what it copies from its origin. */
export interface Derivation {
  readonly kind: "fact" | "internal";
  readonly type: string;
  readonly component: string;
  readonly step: number;
  /** JSON text; none is an empty object. */
  readonly specText?: string;
  readonly status: JsonObject;
  readonly finalizers: Finalizers;
  readonly effect: "derived" | "finishes";
  /** Ids of what goes with it. */
  readonly emits?: readonly string[];
  /** What else it was decided on. */
  readonly lookups?: DecisionStamp["lookups"] | undefined;
  /** Of an emit; other ids follow from component, basis and step. */
  readonly id?: EventId;
}

/** An append that grows event by event; each sees the ones before. */
export class DerivedAppend {
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

  /** An event of a name of its own. */
  addOwn(emit: ResolvedEmit, { kind, step }: Pick<Derivation, "kind" | "step">): void {
    const { id, type, component, specText } = emit;
    this.add({ kind, type, component, step, specText, status: {}, finalizers: {}, effect: "derived", id });
  }

  /** An intent on another resource, which waits for the controllers of the app that watch it. */
  addIntent(
    emit: ResolvedEmit,
    { app, step }: { readonly app: Pick<AppDefinition, "controllers">; readonly step: number },
  ): void {
    const { id, type, component, specText, aggregateType, aggregateId, intent } = emit;
    assert(intent !== undefined, "an emitted intent is one of the app");
    const watching = [...app.controllers.values()].filter(({ watches }) => watches === aggregateType);
    const finalizers = open(watching.map(({ name }) => name));
    const derivation = {
      kind: "intent",
      type,
      component,
      step,
      specText,
      status: {},
      finalizers,
      effect: "derived",
      id,
    } as const;
    const event = { ...this.#draft(derivation), aggregateType, aggregateId, schemaVersion: intent.schemaVersion };
    const expectedVersion = intent.defaultExpectedVersion === "creates" ? "any" : intent.defaultExpectedVersion;
    this.items.push({ event, effect: intent.effect, expectedVersion });
  }

  #draft(derivation: Omit<Derivation, "kind"> & Pick<DraftEvent, "kind">): DraftEvent {
    const { origin, tenantId, aggregateType, aggregateId, version } = this.#basis;
    assert(origin !== null, `a derived event of ${aggregateType}/${aggregateId} has an origin`);
    const { component, step, emits = [], lookups = {} } = derivation;
    const id: EventId =
      derivation.id ?? derivedEventId({ tenantId, originId: origin.id, component, basisVersion: version, step });
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
      decision: {
        component,
        basisVersion: version,
        step,
        now: this.#now,
        ...(emits.length === 0 ? {} : { emits }),
        ...(Object.keys(lookups).length === 0 ? {} : { lookups }),
      },
      keyRefsText: null,
      occurredAt: null,
      traceparent: origin.traceparent,
    };
  }
}
