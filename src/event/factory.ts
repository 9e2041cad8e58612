/**
 * The only maker of intents and of system facts.
 */
import {
  type EventId,
  EventplaneError,
  type IdSource,
  type JsonObject,
  limits,
  type TenantId,
} from "../kernel/index.js";
import type { AppendItem, ExpectedVersion } from "./append-item.js";
import type { AppDefinition, IntentDefinition } from "./definitions.js";
import { reservedTails, typeRoot, typeTail } from "./derived.js";
import {
  checkAggregateId,
  checkExpected,
  checkId,
  checkTenantId,
  checkTime,
  checkTraceparent,
  checkUuid,
  invalid,
} from "./envelope.js";
import type { CausedBy, DraftEvent } from "./event.js";
import { open } from "./open.js";

/** What a publisher asks for. Checked in whole by {@link EventFactory}; the spec's schema is checked by schema/. */
export interface IntentRequest {
  readonly tenantId: TenantId;
  readonly type: string;
  /** May be given; must then equal the root of the type. */
  readonly aggregateType?: string | undefined;
  /** Default: the id. */
  readonly aggregateId?: string | undefined;
  readonly spec: JsonObject;
  /** The spec's exact JSON text as it came: this is what is hashed and stored. */
  readonly specText: string;
  /** UUIDv4 or 7; default a new UUIDv7. */
  readonly id?: string | undefined;
  /** The id was mapped from an outside key: it is a UUIDv8. */
  readonly idFromOutsideKey?: boolean | undefined;
  /** Default: the type's. An older one is for the caller to check. */
  readonly schemaVersion?: number | undefined;
  readonly expectedVersion?: ExpectedVersion | undefined;
  readonly expectedGeneration?: number | undefined;
  readonly causationId?: string | undefined;
  /** Default: the id. */
  readonly correlationId?: string | undefined;
  /** RFC 3339. */
  readonly occurredAt?: string | undefined;
  /** W3C Trace Context. */
  readonly traceparent?: string | undefined;
  /** The verified source that it comes from: then it is a fact, of a type that publishers may send as an intent. */
  readonly source?: string | undefined;
}

/** The types of system facts. They bear no spec of a resource and open no generation. */
export const systemFactTypes = [
  "subject.erased",
  "signing-key.introduced",
  "schema.registered",
  "policy-base.registered",
  "refusal.recorded",
  "key-use.recorded",
  "stream-token.minted",
  "dead-letter.redriven",
  "dead-letter.discarded",
  "dead-letter.redrive-requested",
  "dead-letter.discard-requested",
  "effect.resolved",
  "effect.retried",
  "controller.backfill-requested",
  "controller.retire-requested",
  "projection.paused",
  "projection.resumed",
  "projection.reset",
  "projection.rebuild-requested",
  "projection.verify-requested",
] as const;

/** One of {@link systemFactTypes}. */
export type SystemFactType = (typeof systemFactTypes)[number];

/** What the edge or an operator notes. The aggregate type is the root of the type. */
export interface SystemFactRequest {
  readonly tenantId: TenantId;
  readonly type: SystemFactType;
  readonly aggregateId: string;
  readonly spec: JsonObject;
  /** UUIDv4, 7 or 8; default a new UUIDv7. A stable id makes the fact repeatable. */
  readonly id?: string;
  readonly correlationId?: string;
  readonly causationId?: string;
}

/** Types that a tenant has registered itself, where the application has none of the name. */
export type TenantTypes = (tenantId: TenantId, type: string) => IntentDefinition | undefined;

type DraftParts = Pick<
  DraftEvent,
  "kind" | "source" | "schemaVersion" | "specText" | "finalizersText" | "causedByText" | "occurredAt" | "traceparent"
> & { readonly id: string };

/** Turns requests of publishers and of the edge itself into drafts with their conditions. */
export class EventFactory {
  readonly #app: AppDefinition;
  readonly #ids: IdSource;
  readonly #ofTenant: TenantTypes | undefined;
  /** The marks that open a generation, by aggregate, written out once. */
  readonly #openings: ReadonlyMap<string, Pick<DraftEvent, "finalizersText">>;
  /** The stamp of a request with many intents is written out once. */
  #stamp: { readonly causedBy: CausedBy; readonly text: string } | undefined;

  constructor(options: { readonly app: AppDefinition; readonly ids: IdSource; readonly ofTenant?: TenantTypes }) {
    this.#app = options.app;
    this.#ofTenant = options.ofTenant;
    this.#ids = options.ids;
    this.#openings = openingsByAggregate(options.app);
  }

  /**
   * The definition of an intent type.
   *
   * @throws EventplaneError `unknown_type`; `forbidden_field` for types that only the runtime makes
   */
  definitionOf(type: string, tenantId: TenantId): IntentDefinition {
    const definition = this.#app.aggregates.get(typeRoot(type))?.intents.get(type) ?? this.#ofTenant?.(tenantId, type);
    if (definition !== undefined) return definition;
    if (reservedTails.includes(typeTail(type))) {
      throw new EventplaneError(
        "forbidden_field",
        `Types that end in "${typeTail(type)}" are made by the runtime only.`,
        {
          details: { pointer: "/type" },
        },
      );
    }
    const known = [...this.#app.aggregates.values()].flatMap(({ intents }) => [...intents.keys()]);
    throw new EventplaneError(
      "unknown_type",
      `No intent type of this name. Known types: ${known.slice(0, 20).join(", ") || "none"}.`,
      {
        details: { pointer: "/type" },
      },
    );
  }

  /**
   * An intent, or a fact of a source, checked, with its defaults and the marks of the controllers that it waits for.
   *
   * @throws EventplaneError `request_invalid` with `details.pointer`, `unknown_type`, `forbidden_field`, `payload_too_large`
   */
  intent(request: IntentRequest, causedBy: CausedBy): AppendItem {
    const definition = this.definitionOf(request.type, request.tenantId);
    const root = typeRoot(request.type);
    if (request.aggregateType !== undefined && request.aggregateType !== root) {
      throw invalid("/aggregateType", `aggregateType must equal the first token of the type, ${root}.`);
    }
    const schemaVersion = request.schemaVersion ?? definition.schemaVersion;
    if (schemaVersion < 1 || schemaVersion > definition.schemaVersion) {
      throw invalid("/schemaVersion", `${definition.type} has schema version ${definition.schemaVersion}.`);
    }
    checkTenantId(request.tenantId);
    const versions = request.idFromOutsideKey === true ? [8] : [4, 7];
    const id = request.id === undefined ? this.#ids.uuid7() : checkId(request.id, versions);
    const event = this.#draft(request, {
      id,
      kind: request.source === undefined ? "intent" : "fact",
      source: request.source ?? null,
      schemaVersion,
      specText: request.specText,
      finalizersText: this.#openings.get(root)?.finalizersText ?? "{}",
      causedByText: this.#causedByText(causedBy),
      occurredAt: checkTime(request.occurredAt),
      traceparent: checkTraceparent(request.traceparent),
    });
    checkSize(event);
    return {
      event,
      effect: definition.effect,
      ...checkExpected(
        request,
        definition.defaultExpectedVersion === "creates" ? "any" : definition.defaultExpectedVersion,
      ),
    };
  }

  /**
   * A system fact.
   *
   * @throws EventplaneError `request_invalid`, `payload_too_large`
   */
  systemFact(request: SystemFactRequest, causedBy: CausedBy): AppendItem {
    checkTenantId(request.tenantId);
    const id = request.id === undefined ? this.#ids.uuid7() : checkId(request.id, [4, 7, 8]);
    const event = this.#draft(request, {
      id,
      kind: "fact",
      source: null,
      schemaVersion: 1,
      specText: JSON.stringify(request.spec),
      finalizersText: "{}",
      causedByText: this.#causedByText(causedBy),
      occurredAt: null,
      traceparent: null,
    });
    checkSize(event);
    return { event, effect: "system", expectedVersion: "any" };
  }

  #draft(
    request: Pick<IntentRequest, "tenantId" | "type" | "aggregateId" | "correlationId" | "causationId">,
    made: DraftParts,
  ): DraftEvent {
    const { id } = made;
    return {
      id: id as EventId, // checked by the caller, or new from the id source
      tenantId: request.tenantId,
      kind: made.kind,
      aggregateType: typeRoot(request.type),
      aggregateId: request.aggregateId === undefined ? id : checkAggregateId(request.aggregateId),
      type: request.type,
      schemaVersion: made.schemaVersion,
      specText: made.specText,
      statusText: "{}",
      finalizersText: made.finalizersText,
      source: made.source,
      causedByText: made.causedByText,
      correlationId: request.correlationId === undefined ? id : checkUuid("/correlationId", request.correlationId),
      causationId: request.causationId === undefined ? null : checkUuid("/causationId", request.causationId),
      decision: null,
      keyRefsText: null,
      occurredAt: made.occurredAt,
      traceparent: made.traceparent,
    };
  }

  #causedByText(causedBy: CausedBy): string {
    if (this.#stamp?.causedBy !== causedBy) this.#stamp = { causedBy, text: JSON.stringify(causedBy) };
    return this.#stamp.text;
  }
}

function openingsByAggregate(app: AppDefinition): ReadonlyMap<string, Pick<DraftEvent, "finalizersText">> {
  const controllers = [...app.controllers.values()];
  return new Map(
    [...app.aggregates.values()].map(({ name: aggregate, completedBy = [] }) => {
      const names = controllers.filter(({ watches }) => watches === aggregate).map(({ name }) => name);
      return [aggregate, { finalizersText: JSON.stringify(open([...names, ...completedBy])) }];
    }),
  );
}

/** What an event weighs beside its texts: ids, numbers, hashes, at most. */
const envelopeBytes = 1_024;

/** A UTF-16 unit is at most this many bytes of UTF-8. */
const bytesPerUnitMax = 3;

function checkSize(event: DraftEvent): void {
  const texts = [event.specText, event.causedByText, event.finalizersText];
  const units = texts.reduce((sum, text) => sum + text.length, 0);
  // Most events are small enough without being measured.
  if (units * bytesPerUnitMax + envelopeBytes <= limits.eventBytesMax) return;
  const bytes = envelopeBytes + texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > limits.eventBytesMax) {
    throw new EventplaneError(
      "payload_too_large",
      `The event has ${bytes} bytes; at most ${limits.eventBytesMax} are allowed.`,
      { details: { pointer: "/spec", bytes, bytesMax: limits.eventBytesMax } },
    );
  }
}
