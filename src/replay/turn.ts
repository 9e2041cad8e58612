/**
 * One turn of a replay: read where it is, give the consumer a slice of history, note how far it is.
 *
 * Who may take a turn has the lease of the replay's work row, so several processes share the replays, and one that dies
 * leaves its replay to another. A slice that was given and not noted is given again: the consumer adds nothing then.
 */
import { type AppDefinition, type Decision, mutate, type Resource, replayerComponent } from "../event/index.js";
import {
  assert,
  type Clock,
  EventplaneError,
  formatUs,
  type JsonObject,
  limits,
  PLATFORM_TENANT_ID,
} from "../kernel/index.js";
import type { Append, AppendOutcome, LogReader, ResourceLoader } from "../store/index.js";
import type { WorkClaim, WorkStore } from "../work/index.js";
import { type ReplaySpec, replayAggregate, replaySpecOf } from "./definition.js";
import { isMeant, readFilterOf } from "./filter.js";
import type {
  ReplayGiven,
  ReplayProgress,
  ReplayProgressStore,
  ReplayResults,
  ReplayTarget,
  ReplayTargets,
} from "./port.js";
import { replayStart } from "./replay-start.js";

/** What turns need. */
export interface ReplayTurnOptions {
  /** With the platform's aggregates. */
  readonly app: AppDefinition;
  readonly work: WorkStore;
  readonly reader: LogReader;
  readonly loader: ResourceLoader;
  /** The coalescer of the runtime tier. */
  readonly appending: { append(append: Append): Promise<AppendOutcome> };
  readonly progress: ReplayProgressStore;
  readonly targets: ReplayTargets;
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly onGiven?: (given: { readonly target: string; readonly results: ReplayResults }) => void;
}

/** How a turn ended: when the next one is due; null: nothing is left to do for now. */
export interface TurnEnd {
  readonly dueAfterMs: number | null;
}

/** Where a replay stands, as its status says. */
export type ReplayState = "running" | "paused" | "cancelled" | "completed";

const nothingGiven: ReplayGiven = { given: 0, results: {} };
/** A turn offers at most so many events, and as many as the rate has in a second. */
const sliceEventsMax = 500;
/** A replay that goes on says so in the log at most so often. */
const tellEveryMs = 10_000;

/** Takes turns. */
export class ReplayTurns {
  readonly #options: ReplayTurnOptions;
  /** Monotonic times of the last events of progress that this process made. */
  readonly #toldAtMs = new Map<string, number>();

  constructor(options: ReplayTurnOptions) {
    this.#options = options;
  }

  /** @throws EventplaneError `lease_lost`; `replay_target_unknown`; those of the store, of the target and of an unverifiable replay */
  async run(claim: WorkClaim): Promise<TurnEnd> {
    const { loader, progress } = this.#options;
    const resource = await loader.load(PLATFORM_TENANT_ID, claim);
    if (resource === undefined || resource.origin === null || resource.settled !== null)
      return this.#finish(claim, resource);
    const spec = replaySpecOf(resource);
    const noted = (await progress.progress(spec.tenantId, [claim.aggregateId])).get(claim.aggregateId);
    const before = noted ?? replayStart(spec);
    if (before.position >= spec.until) return this.#end(claim, resource, { state: "completed", progress: before });
    if (spec.wanted !== "running") return this.#end(claim, resource, { state: spec.wanted, progress: before });
    const startMs = this.#options.clock.monotonicMs();
    const after = await this.#give(claim, spec, before);
    await progress.save(spec.tenantId, claim.aggregateId, after);
    if (after.position >= spec.until) return this.#end(claim, resource, { state: "completed", progress: after });
    const tookMs = this.#options.clock.monotonicMs() - startMs;
    const dueAfterMs = Math.max(0, Math.ceil(((after.events - before.events) * 1_000) / spec.ratePerSecond - tookMs));
    return this.#goOn(claim, resource, { progress: after, dueAfterMs });
  }

  /** Gives up for good: the replay is rejected, with a reason. */
  async reject(
    claim: WorkClaim,
    { code, message }: { readonly code: string; readonly message: string },
  ): Promise<void> {
    const resource = await this.#options.loader.load(PLATFORM_TENANT_ID, claim);
    if (resource === undefined || resource.origin === null || resource.settled !== null) {
      await this.#finish(claim, resource);
      return;
    }
    const text = `${code}: ${message}`.slice(0, 1_000);
    await this.#tell(claim, resource, { outcome: { rejected: { reason: "ReplayFailed", message: text } } }, null);
  }

  async #give(claim: WorkClaim, spec: ReplaySpec, before: ReplayProgress): Promise<ReplayProgress> {
    const { tenantId, filter, until, ratePerSecond, dryRun, allowEffects } = spec;
    const target = this.#targetOf(spec);
    const limit = Math.max(1, Math.min(sliceEventsMax, Math.floor(ratePerSecond)));
    const page = await this.#options.reader.read(tenantId, {
      filter: readFilterOf(filter),
      after: before.position,
      limit: limits.readPageMax,
    });
    const reached = page.filter(({ position }) => position <= until);
    const meant = reached.filter((row) => isMeant(filter, row));
    const offered = meant.slice(0, limit);
    const hold = (): Promise<void> => this.#hold(claim);
    const slice = { replayId: claim.aggregateId, tenantId, rows: offered, dryRun, allowEffects, hold };
    const { given, results, failure } = offered.length === 0 ? nothingGiven : await target.give(slice);
    const rows = offered.slice(0, given);
    this.#options.onGiven?.({ target: spec.target.name, results });
    const isCut = meant.length > rows.length;
    const isEnd = !isCut && (page.length < limits.readPageMax || reached.length < page.length);
    return {
      position: isEnd ? until : ((isCut ? rows : reached).at(-1)?.position ?? until),
      events: before.events + rows.length,
      results: sum(before.results, results),
      firstFailure: before.firstFailure ?? failure ?? null,
    };
  }

  #targetOf({ target: { kind, name } }: ReplaySpec): ReplayTarget {
    const target = this.#options.targets[kind](name);
    if (target !== undefined) return target;
    throw new EventplaneError(
      "replay_target_unknown",
      `This app has no ${kind} ${name} that history could be given to.`,
      {
        details: { kind, name },
      },
    );
  }

  async #hold(claim: WorkClaim): Promise<void> {
    const { work, leaseMs } = this.#options;
    if ((await work.extend([claim], leaseMs)).length === 1) return;
    throw new EventplaneError("lease_lost", `Another process has taken replay ${claim.aggregateId} over.`);
  }

  async #goOn(
    claim: WorkClaim,
    resource: Resource,
    { progress, dueAfterMs }: { readonly progress: ReplayProgress; readonly dueAfterMs: number },
  ): Promise<TurnEnd> {
    const nowMs = this.#options.clock.monotonicMs();
    const toldAtMs = this.#toldAtMs.get(claim.aggregateId) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - toldAtMs < tellEveryMs) return this.#finish(claim, resource, dueAfterMs);
    this.#toldAtMs.set(claim.aggregateId, nowMs);
    return this.#tell(claim, resource, { outcome: "progressing", status: statusOf("running", progress) }, dueAfterMs);
  }

  async #end(
    claim: WorkClaim,
    resource: Resource,
    { state, progress }: { readonly state: ReplayState; readonly progress: ReplayProgress },
  ): Promise<TurnEnd> {
    this.#toldAtMs.delete(claim.aggregateId);
    return this.#tell(claim, resource, { outcome: "completed", status: statusOf(state, progress) }, null);
  }

  /** Says it in the replay's stream, in the commit that ends the claim. */
  async #tell(claim: WorkClaim, resource: Resource, decision: Decision, dueAfterMs: number | null): Promise<TurnEnd> {
    const { app, appending, clock } = this.#options;
    const aggregate = app.aggregates.get(replayAggregate);
    assert(aggregate !== undefined, "who replays knows what a replay is");
    const now = formatUs(clock.nowUs());
    const { items } = mutate.decide({ resource, aggregate, controller: replayerComponent, decisions: decision, now });
    if (items.length === 0) return this.#finish(claim, resource, dueAfterMs);
    const { aggregateType, aggregateId, component, leaseToken } = claim;
    const lease = { aggregateType, aggregateId, component, leaseToken, dueAfterMs };
    const outcome = await appending.append({ tenantId: PLATFORM_TENANT_ID, items, lease });
    if (outcome.result === "appended") return { dueAfterMs };
    if (outcome.result === "refused" && outcome.code === "lease_lost") return { dueAfterMs: null };
    // Somebody wants something else meanwhile, or an earlier answer was lost: look again.
    await this.#options.work.release(claim, { dueAfterMs: 0 });
    return { dueAfterMs: 0 };
  }

  async #finish(claim: WorkClaim, resource: Resource | undefined, dueAfterMs: number | null = null): Promise<TurnEnd> {
    await this.#options.work.finish(claim, { dueAfterMs, seenVersion: resource?.version ?? 0 });
    return { dueAfterMs };
  }
}

function statusOf(state: ReplayState, { position, events, results, firstFailure }: ReplayProgress): JsonObject {
  return { state, position, events, results: { ...results }, ...(firstFailure === null ? {} : { firstFailure }) };
}

function sum(before: ReplayResults, more: ReplayResults): ReplayResults {
  const names = [...new Set([...Object.keys(before), ...Object.keys(more)])].sort();
  return Object.fromEntries(names.map((name) => [name, (before[name] ?? 0) + (more[name] ?? 0)]));
}
