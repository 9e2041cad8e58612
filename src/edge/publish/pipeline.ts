/**
 * From intents to events in the log, in the order of DESIGN §13.6; HTTP and embedded callers take the same way.
 *
 * tenant equality → limits → policies → id look-up → schema → secrets → guard → append. The look-up is done only when a check fails: the append
 * itself answers for known ids before anything else, so the result is as if every id had been looked up first.
 */
import type {
  AggregateDefinition,
  AppDefinition,
  AppendItem,
  IntentDefinition,
  IntentRequest,
} from "../../event/index.js";
import {
  type Clock,
  EventplaneError,
  type IdSource,
  isEventplaneError,
  limits,
  type TenantId,
} from "../../kernel/index.js";
import type { PersonalData } from "../../personal/index.js";
import type { AppendOutcome, LogReader } from "../../store/index.js";
import type { Authorizer } from "../authz/authorizer.js";
import type { ResourceClass } from "../authz/ruling.js";
import type { EventLog, GuardLoader } from "../dependencies.js";
import type { EdgeLimits } from "../limits/edge-limits.js";
import type { Principal } from "../principal.js";
import { scopeOf } from "../principal-scope.js";
import { asEventplaneError } from "../problem.js";
import type { RefusalLog } from "../refusals.js";
import type { Scope } from "../scope.js";
import { counted } from "./counted.js";
import { Drafter, draftBytes, type RegisteredSchemas, typeRootOf } from "./drafter.js";
import { type Guard, guardRefusal } from "./guard.js";
import type { IntentInput } from "./intent-input.js";
import { unlessAllKnown, unlessKnown } from "./known-ids.js";
import type { PublishResult } from "./publish-result.js";
import { forbidden, inItem, refusalError } from "./refusal-errors.js";
import { Stamps } from "./stamps.js";

/** How a request publishes. */
export interface PublishOptions {
  /** All intents in one append, or each for itself. */
  readonly atomic: boolean;
  readonly requestId: string;
  /** The verified source whose facts these are. */
  readonly source?: string;
  /** `http`, `embedded` or `source`. */
  readonly via: string;
  /** Names the request for its repetitions; intents without an id get theirs from it. */
  readonly idempotencyKey?: string | undefined;
  /** The body was a list, so derived ids carry the index. */
  readonly isList?: boolean;
  /** Moves the pointers of an error to where the publisher wrote what they mean. */
  readonly placed?: ((error: EventplaneError) => EventplaneError) | undefined;
  readonly traceparent?: string | undefined;
  /** An abort leaves the outcome open: what was handed to the log may still be appended. */
  readonly signal?: AbortSignal;
}

/** What the pipeline needs. */
export interface PublishPipelineDependencies {
  readonly app: AppDefinition;
  readonly ids: IdSource;
  readonly clock: Clock;
  readonly log: EventLog;
  readonly reader: LogReader;
  readonly loader: GuardLoader;
  readonly authorizer: Authorizer;
  readonly limits: Pick<EdgeLimits, "charge" | "giveBack">;
  readonly refusals: RefusalLog;
  readonly schemas: RegisteredSchemas;
  readonly personal: PersonalData;
  /** Hears of specs that were refused for a secret, by the rule that found it. */
  readonly onSecret?: (rule: string) => void;
  /** Name of this edge, and the key that its coalescer signs with. */
  readonly edge: string;
}

const guardAttemptsMax = 3;

interface Request {
  readonly tenantId: TenantId;
  readonly stamps: Stamps;
  readonly options: PublishOptions;
}

interface RefusedPublish {
  readonly principal: Principal;
  readonly options: PublishOptions;
  readonly resource: ResourceClass;
}

/** Publishes intents for principals. */
export class PublishPipeline {
  readonly #dependencies: PublishPipelineDependencies;
  readonly #drafter: Drafter;

  constructor(dependencies: PublishPipelineDependencies) {
    this.#dependencies = dependencies;
    this.#drafter = new Drafter(dependencies);
  }

  /**
   * Publishes the intents, each with its own result in their order; with `atomic` all of them or none.
   *
   * Intents on one stream keep their order. Refusals are counted as system facts.
   *
   * @throws EventplaneError `events_limited`, `bytes_limited`, `forbidden`; with `atomic` also every refusal, with the pointer of its intent
   */
  async publish(
    principal: Principal,
    tenantId: TenantId,
    intents: readonly (IntentInput | EventplaneError)[],
    options: PublishOptions,
  ): Promise<readonly PublishResult[]> {
    const stamps = this.#stampsOf(principal, tenantId, options);
    try {
      const request = { tenantId, stamps, options };
      return await counted(
        this.#dependencies.limits,
        { principal, intents, creates: (intent) => this.#creates(intent) },
        () => this.#publishAll(request, principal, intents),
      );
    } catch (error) {
      const resource = stamps.resourceOf(intents.length === 1 ? intents[0] : undefined);
      if (isEventplaneError(error)) this.#note(error, { principal, options, resource });
      throw error;
    }
  }

  #creates({ type }: IntentInput): boolean {
    const aggregate = this.#dependencies.app.aggregates.get(typeRootOf(type));
    return aggregate?.intents.get(type)?.effect === "creates";
  }

  async #publishAll(
    request: Request,
    principal: Principal,
    intents: readonly (IntentInput | EventplaneError)[],
  ): Promise<readonly PublishResult[]> {
    const { tenantId, stamps, options } = request;
    const { idempotencyKey, traceparent, source, isList = false } = options;
    const naming = { principal, tenantId, idempotencyKey, traceparent, source, isList };
    const named = intents.map((intent, index) =>
      intent instanceof EventplaneError ? intent : this.#drafter.name(intent, index, naming),
    );
    const admitted = withinScope(stamps.admit(named), scopeOf(principal, actionOf(options)));
    if (options.atomic) return this.#publishAtomic(request, admitted);
    const results = await this.#publishEach(request, admitted);
    for (const [index, each] of results.entries())
      if (each.result === "refused")
        this.#note(each.error, { principal, options, resource: stamps.resourceOf(named[index]) });
    return results;
  }

  #note(error: EventplaneError, { principal, options, resource }: RefusedPublish): void {
    if (error.code === "secret_found") this.#dependencies.onSecret?.(String(error.details["rule"]));
    const { requestId, via } = options;
    this.#dependencies.refusals.note({ principal, error, action: actionOf(options), resource, requestId, via });
  }

  #stampsOf(principal: Principal, tenantId: TenantId, options: PublishOptions): Stamps {
    const { clock, edge } = this.#dependencies;
    const { via, requestId } = options;
    const asked = { principal, tenantId, action: actionOf(options), via, requestId, edge, atUs: clock.nowUs() };
    return new Stamps(this.#dependencies, asked);
  }

  async #publishEach(
    request: Request,
    intents: readonly (IntentRequest | EventplaneError)[],
  ): Promise<readonly PublishResult[]> {
    const [only] = intents;
    if (only !== undefined && intents.length === 1) return [await this.#settle(request, only, 0)];
    const guardedTails = new Map<string, Promise<unknown>>();
    return Promise.all(
      intents.map((intent, index) => {
        const stream = intent instanceof EventplaneError ? undefined : this.#guardedStream(intent);
        if (stream === undefined) return this.#settle(request, intent, index);
        const before = guardedTails.get(stream) ?? Promise.resolve();
        const own = before.then(() => this.#settle(request, intent, index));
        guardedTails.set(stream, own);
        return own;
      }),
    );
  }

  /** A failure of one intent, a guard's for example, must not hide what became of the others. */
  async #settle(request: Request, intent: IntentRequest | EventplaneError, index: number): Promise<PublishResult> {
    try {
      if (intent instanceof EventplaneError) throw intent;
      return await this.#publishOne(request, intent);
    } catch (error) {
      const { isList, placed } = request.options;
      const own = asEventplaneError(error);
      const inList = isList === true ? inItem(own, index) : own;
      return { result: "refused", error: placed?.(inList) ?? inList };
    }
  }

  /** Guards see what the intents before theirs did, so guarded intents of one stream wait for each other. */
  #guardedStream(intent: IntentRequest): string | undefined {
    return this.#aggregateOf(intent)?.guard === undefined
      ? undefined
      : `${typeRootOf(intent.type)}/${intent.aggregateId ?? ""}`;
  }

  #aggregateOf(intent: IntentRequest): AggregateDefinition | undefined {
    return this.#dependencies.app.aggregates.get(typeRootOf(intent.type));
  }

  #definitionOf(intent: IntentRequest): IntentDefinition | undefined {
    return this.#aggregateOf(intent)?.intents.get(intent.type);
  }

  async #publishOne(request: Request, intent: IntentRequest): Promise<PublishResult> {
    let item: AppendItem;
    try {
      item = this.#drafter.draft(intent, request.stamps.of(intent.type));
    } catch (refusal) {
      return unlessKnown(this.#dependencies, intent, refusal);
    }
    const guard = this.#aggregateOf(intent)?.guard;
    if (guard !== undefined) return this.#publishGuarded(request, intent, { item, guard });
    return this.#resultOf(await this.#append(request, [item]), { item, intent });
  }

  async #publishGuarded(
    request: Request,
    intent: IntentRequest,
    { item, guard }: { readonly item: AppendItem; readonly guard: Guard },
  ): Promise<PublishResult> {
    const { aggregateType, aggregateId } = item.event;
    for (let attempt = 1; ; attempt++) {
      const resource = await this.#dependencies.loader.load(request.tenantId, { aggregateType, aggregateId });
      const seen = resource?.generation ?? 0;
      const refusal = guardRefusal(guard, resource, { item, intent, definition: this.#definitionOf(intent) });
      if (refusal !== undefined) return unlessKnown(this.#dependencies, intent, refusal);
      const outcome = await this.#append(request, [{ ...item, expectedGeneration: seen }]);
      if (!wasOvertaken(outcome, intent)) return this.#resultOf(outcome, { item, intent });
      if (attempt === guardAttemptsMax) throw overtaken();
    }
  }

  async #publishAtomic(
    request: Request,
    intents: readonly (IntentRequest | EventplaneError)[],
  ): Promise<readonly PublishResult[]> {
    const readable = intents.map((intent, index) => {
      if (intent instanceof EventplaneError) throw inItem(intent, index);
      return intent;
    });
    for (let attempt = 1; ; attempt++) {
      let items: readonly AppendItem[];
      try {
        items = await this.#draftAll(request, readable);
      } catch (refusal) {
        return unlessAllKnown(this.#dependencies, readable, refusal);
      }
      const outcome = await this.#append(request, items);
      if (outcome.result !== "refused") return items.map((item, index) => resultAt(outcome, item, index));
      if (outcome.code === "content_mismatch") return this.#unlessAllSame(readable, outcome);
      if (!wasOvertaken(outcome, readable[outcome.index])) throw inItem(refusalError(outcome), outcome.index);
      if (attempt === guardAttemptsMax) throw inItem(overtaken(), outcome.index);
    }
  }

  /** All intents drafted and their guards asked; a guarded stream may occur once, because a guard sees only what is stored. */
  async #draftAll(request: Request, intents: readonly IntentRequest[]): Promise<readonly AppendItem[]> {
    const guarded = new Set<string>();
    const items: AppendItem[] = [];
    let bytes = 0;
    for (const [index, intent] of intents.entries()) {
      try {
        const item = this.#drafter.draft(intent, request.stamps.of(intent.type));
        bytes += draftBytes(item);
        const guard = this.#aggregateOf(intent)?.guard;
        items.push(guard === undefined ? item : await this.#guardInAtomic(request, intent, { item, guard, guarded }));
      } catch (error) {
        throw isEventplaneError(error) ? inItem(error, index) : error;
      }
    }
    if (bytes > limits.callBytesMax) {
      throw new EventplaneError(
        "payload_too_large",
        `An atomic list has at most ${limits.callBytesMax} bytes with its envelopes.`,
      );
    }
    return items;
  }

  async #guardInAtomic(
    request: Request,
    intent: IntentRequest,
    { item, guard, guarded }: { item: AppendItem; guard: Guard; guarded: Set<string> },
  ): Promise<AppendItem> {
    const { aggregateType, aggregateId } = item.event;
    const stream = `${aggregateType}/${aggregateId}`;
    if (guarded.has(stream)) {
      throw new EventplaneError(
        "request_invalid",
        `An atomic list may hold one intent for ${stream}, because its type has a guard.`,
      );
    }
    guarded.add(stream);
    const resource = await this.#dependencies.loader.load(request.tenantId, { aggregateType, aggregateId });
    const refusal = guardRefusal(guard, resource, { item, intent, definition: this.#definitionOf(intent) });
    if (refusal !== undefined) throw refusal;
    return { ...item, expectedGeneration: resource?.generation ?? 0 };
  }

  async #append({ tenantId, options }: Request, items: readonly AppendItem[]): Promise<AppendOutcome> {
    const { log, personal, schemas } = this.#dependencies;
    const sealed = personal.seal(tenantId, items, schemas);
    return log.append({ tenantId, items: sealed instanceof Promise ? await sealed : sealed }, options.signal);
  }

  /** Under other marks than it was stored with, the same intent would be sealed in another way: it is compared in its own. */
  async #resultOf(
    outcome: AppendOutcome,
    { item, intent }: { readonly item: AppendItem; readonly intent: IntentRequest },
  ): Promise<PublishResult> {
    if (outcome.result !== "refused") return resultAt(outcome, item, 0);
    if (outcome.code === "content_mismatch") return unlessKnown(this.#dependencies, intent, refusalError(outcome));
    throw refusalError(outcome);
  }

  /** The same for an atomic list. */
  #unlessAllSame(
    intents: readonly IntentRequest[],
    outcome: Extract<AppendOutcome, { result: "refused" }>,
  ): Promise<readonly PublishResult[]> {
    return unlessAllKnown(this.#dependencies, intents, inItem(refusalError(outcome), outcome.index));
  }
}

/** The generation moved between the guard's look and the append, and the publisher named none. */
function wasOvertaken(outcome: AppendOutcome, intent: IntentRequest | undefined): boolean {
  const moved = outcome.result === "refused" && outcome.code === "wrong_expected_generation";
  return moved && intent?.expectedGeneration === undefined;
}

function overtaken(): EventplaneError {
  return new EventplaneError("busy", "The resource changes faster than its guard can look at it. Try again shortly.");
}

function actionOf({ source }: PublishOptions): "PublishIntent" | "PublishFact" {
  return source === undefined ? "PublishIntent" : "PublishFact";
}

/** What the scope leaves out is refused before ids are looked up, whatever the type is. */
function withinScope(
  intents: readonly (IntentRequest | EventplaneError)[],
  scope: Scope | undefined,
): readonly (IntentRequest | EventplaneError)[] {
  if (scope === undefined) return intents;
  return intents.map((each) => (each instanceof EventplaneError || scope.allowsType(each.type) ? each : forbidden()));
}

function resultAt(
  outcome: Exclude<AppendOutcome, { result: "refused" }>,
  item: AppendItem,
  index: number,
): PublishResult {
  const receipt = outcome.receipts[index];
  if (receipt === undefined) throw new EventplaneError("internal", "The log gave fewer receipts than events.");
  if (outcome.result === "repeated") return { result: "repeated", receipt };
  return { result: receipt.id === item.event.id ? "created" : "unchanged", receipt };
}
