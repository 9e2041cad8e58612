/** One call of a controller: what it sees, what it may return, and how long it may take. */
import {
  type AppDefinition,
  type ControllerDefinition,
  type Decision,
  type EffectAsk,
  type ReconcileContext,
  type Resource,
  seededRandom,
} from "../event/index.js";
import { assert, type Clock, EventplaneError, type JsonObject } from "../kernel/index.js";
import type { Logger } from "../observe/index.js";
import type { StreamName } from "../store/index.js";
import { EffectAsking } from "./effects.js";
import { type LoadedResources, Lookups, visible } from "./lookups.js";

/** What a call needs besides the controller and the resource. */
export interface ReconcileOptions {
  /** Names the workers that may be asked; absent where a controller is tried without its app, which may ask any. */
  readonly app?: Pick<AppDefinition, "workers" | "aggregates">;
  /** What it may look up; others are missing. Default: nothing is loaded. */
  readonly loaded?: LoadedResources;
  readonly clock: Clock;
  readonly logger: Logger;
  /** `ctx.now`, RFC 3339 UTC with microseconds. */
  readonly now: string;
  /** Calls it twice and compares. */
  readonly checkDeterminism: boolean;
}

type Decisions = Decision | readonly Decision[] | undefined;

/** What a controller wants: what it returned, and what it asked for on the way. */
export interface Reconciled {
  readonly decisions: Decisions;
  readonly asks: readonly EffectAsk[];
  /** Versions of the resources that it looked up, by `<aggregateType>/<aggregateId>`; 0: there was none. */
  readonly lookups: Readonly<Record<string, number>>;
  /** It was suspended because this resource is not loaded; it decided nothing. */
  readonly missing?: StreamName;
}

/**
 * Runs reconcile on a resource that has an origin.
 *
 * @throws whatever the controller throws; EventplaneError `decision_invalid` for a promise, `reconcile_timeout` when it
 * held the thread longer than its `timeoutMs`, `decision_not_deterministic`
 */
export function reconcile(controller: ControllerDefinition, resource: Resource, options: ReconcileOptions): Reconciled {
  const first = callOnce(controller, resource, options);
  if (!options.checkDeterminism || first.missing !== undefined) return first;
  const second = callOnce(controller, resource, options);
  if (JSON.stringify(first) === JSON.stringify(second)) return first;
  throw new EventplaneError(
    "decision_not_deterministic",
    `Controller ${controller.name} decided twice on ${resource.aggregateType}/${resource.aggregateId} version ${resource.version} ` +
      "and the decisions differ. Use ctx.now and ctx.random, and keep no state between calls.",
    { details: { controller: controller.name, version: resource.version } },
  );
}

function callOnce(controller: ControllerDefinition, resource: Resource, options: ReconcileOptions): Reconciled {
  const { app, clock, loaded = {} } = options;
  const effects = new EffectAsking(app, resource, controller.name);
  const lookups = new Lookups({ app, resource, controller: controller.name, loaded });
  const context = contextOf(controller.name, resource, { ...options, effects, lookups });
  const startMs = clock.monotonicMs();
  let decisions: unknown;
  try {
    decisions = controller.reconcile(context);
  } catch (error) {
    if (lookups.missing === undefined) throw error;
  }
  if (lookups.missing !== undefined) return { decisions: undefined, asks: [], lookups: {}, missing: lookups.missing };
  const tookMs = clock.monotonicMs() - startMs;
  if (isPromiseLike(decisions)) throw promiseReturned(controller, decisions);
  if (tookMs > controller.timeoutMs) {
    throw new EventplaneError(
      "reconcile_timeout",
      `Controller ${controller.name} took ${Math.round(tookMs)} ms of ${controller.timeoutMs} ms on ` +
        `${resource.aggregateType}/${resource.aggregateId}; its decision was thrown away.`,
      { details: { controller: controller.name } },
    );
  }
  return { decisions: decisions as Decisions, asks: effects.asks, lookups: lookups.seen }; // mutate.decide checks every part of it
}

function promiseReturned(controller: ControllerDefinition, promise: PromiseLike<unknown>): EventplaneError {
  // Nobody waits for it; its rejection must not end the process.
  promise.then(undefined, () => undefined);
  return new EventplaneError(
    "decision_invalid",
    `Controller ${controller.name} returned a promise. reconcile must be synchronous: no async, no I/O.`,
    { details: { controller: controller.name } },
  );
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

function contextOf(
  name: string,
  resource: Resource,
  { logger, now, effects, lookups }: ReconcileOptions & { readonly effects: EffectAsking; readonly lookups: Lookups },
): ReconcileContext {
  const { origin } = resource;
  assert(origin !== null, "a resource that is reconciled has an origin");
  const { id, type, spec, version, recordedAt } = origin;
  const fields: JsonObject = { aggregateId: resource.aggregateId, version: resource.version };
  return Object.freeze({
    resource: visible(resource),
    event: Object.freeze({ id, type, spec, version, recordedAt }),
    effects: Object.freeze({ get: effects.get.bind(effects) }),
    lookup: lookups.get.bind(lookups),
    now,
    random: seededRandom(id, name, resource.version),
    log: Object.freeze({
      info: (message: string) => logger.info(fields, message),
      warn: (message: string) => logger.warn(fields, message),
    }),
  });
}
