/** Keeps one projection in step with the logs of all tenants, as its leader, and builds it anew beside what is read. */
import type { EventRow, Lift, ProjectionDefinition } from "../event/index.js";
import { type Clock, type Doorbell, isEventplaneError, PLATFORM_TENANT_ID, type TenantId } from "../kernel/index.js";
import type { Logger, Metrics } from "../observe/index.js";
import { firstPageLimit, type LogReader, nextPageLimit } from "../store/index.js";
import { BuildFold } from "./build-fold.js";
import type { FoldFailure } from "./fold-projection.js";
import { fingerprintOf } from "./layout.js";
import { PagesAhead } from "./pages-ahead.js";
import { afterStep, noteStep, planFor } from "./plan.js";
import type { Build, ProjectionStep, ProjectionStore, ProjectionSummary, TenantProjection } from "./projection-port.js";
import { PlatformRequests, requestsAfter } from "./requests.js";
import { TenantRounds } from "./tenant-rounds.js";

/** How to make a runner. */
export interface ProjectionRunnerOptions {
  readonly definition: ProjectionDefinition;
  readonly store: ProjectionStore;
  /** Reads events only: its connection need not be able to write. */
  readonly reader: LogReader;
  /** Lifts specs of older versions for `apply`; absent: they are given as they are. */
  readonly lift?: Lift;
  /** A UUID of this process. */
  readonly holder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: Pick<Metrics, "projectionLag">;
  /** Rung by the appends of this process; those of other processes are found by polling. */
  readonly doorbell?: Doorbell;
  /** Default 250 ms. */
  readonly pollMs?: number;
}

const leaseMs = 10_000;
/** What a batch of events holds, about; at most 1,000 events. */
const batchBytesAim = 4_194_304;
const batchesPerTurn = 4;
const sweepRows = 5_000;
const summaryMs = 5_000;

/** A few batches of one tenant. */
interface Turn {
  readonly pages: PagesAhead;
  /** Whether another batch follows in it. */
  goesOn: boolean;
  /** The live build was at the end of the log: it is not looked for more until the next turn. */
  isLiveDone: boolean;
}

/** What a batch is part of. */
interface InTurn {
  readonly tenantId: TenantId;
  readonly turn: Turn;
  /** The last position that is wanted. */
  readonly upTo?: number;
}

/**
 * Any number of processes may run one: the one that holds the lease leads, and every change that it makes counts only if
 * nobody has taken the lease since. Cursor and rows move in one commit, so each event is folded once. An event that cannot
 * be applied stops its tenant, with an alarm; the others go on.
 */
export class ProjectionRunner {
  readonly #options: ProjectionRunnerOptions;
  readonly #fingerprint: string;
  readonly #rounds: TenantRounds;
  readonly #fold: BuildFold;
  readonly #platform: PlatformRequests;
  readonly #known = new Map<TenantId, TenantProjection>();
  readonly #heads = new Map<TenantId, number>();
  /** Ends of the logs that were looked at for requests while their tenants stood still. */
  readonly #seen = new Map<TenantId, number>();
  /** Builds of each tenant that this process could not fold on. */
  readonly #stuck = new Map<TenantId, Set<number>>();
  /** When the first event was recorded that a tenant is still without. */
  readonly #behind = new Map<TenantId, number>();
  /** Events of the next batch: more of small ones, fewer of large ones. */
  #batchEvents = firstPageLimit;
  #lease: { readonly epoch: number; readonly renewAtMs: number } | undefined;
  #summary: ProjectionSummary | undefined;
  #summaryAtMs = 0;

  constructor(options: ProjectionRunnerOptions) {
    const { definition, store, reader, clock, logger, doorbell, pollMs } = options;
    this.#options = options;
    this.#fingerprint = fingerprintOf(definition);
    this.#fold = new BuildFold(definition, { store, lift: options.lift ?? ((_event, spec) => spec) });
    this.#platform = new PlatformRequests(reader, definition.name);
    this.#rounds = new TenantRounds({
      clock,
      logger,
      what: `Projection ${definition.name}`,
      doorbell,
      pollMs,
      news: (after, limit) => this.#news(after, limit),
      serve: (tenantId, signal) => this.#serve(tenantId, signal),
      begin: (isPoll) => this.#begin(isPoll),
    });
  }

  /** Runs until `signal` aborts; a batch that is under way is finished, and the lease given back. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#rounds.run(signal);
    } finally {
      // Without it, the next leader waits for the lease to end.
      await this.#options.store.resign(this.#options.holder).catch(() => undefined);
    }
  }

  /** Does all that there is to do now, where this process may lead. */
  catchUp(signal?: AbortSignal): Promise<void> {
    return this.#rounds.catchUp(signal);
  }

  /** How all tenants stood a moment ago; undefined before the first look. */
  get summary(): ProjectionSummary | undefined {
    return this.#summary;
  }

  /** Tenants that stand still because a newer version has folded them, which does not run here; 0 where another process leads. */
  get newerTenants(): number {
    const { version } = this.#options.definition;
    const isNewer = (build: Build): boolean => build.role === "live" && build.version > version;
    return [...this.#known.values()].filter(({ builds }) => builds.some(isNewer)).length;
  }

  async #begin(isPoll: boolean): Promise<boolean> {
    const { store, clock, metrics, definition } = this.#options;
    const now = clock.monotonicMs();
    if (isPoll && now >= this.#summaryAtMs) {
      this.#summary = await store.summary(this.#platform.version);
      this.#summaryAtMs = now + summaryMs;
    }
    if (!(await this.#lead())) return false;
    if (isPoll) await this.#platform.read();
    const oldestUs = Math.min(...this.#behind.values());
    const seconds = Number.isFinite(oldestUs) ? Math.max(0, (clock.nowUs() - oldestUs) / 1_000_000) : 0;
    metrics?.projectionLag({ projection: definition.name, events: this.#summary?.lagEvents ?? 0, seconds });
    return true;
  }

  async #lead(): Promise<boolean> {
    const { store, holder, clock } = this.#options;
    const now = clock.monotonicMs();
    if (this.#lease !== undefined && now < this.#lease.renewAtMs) return true;
    const epoch = await store.lead(holder, leaseMs);
    if (epoch !== this.#lease?.epoch) this.#forget();
    this.#lease = epoch === undefined ? undefined : { epoch, renewAtMs: now + leaseMs / 3 };
    return epoch !== undefined;
  }

  /** Another leads, or did: what is known here is old. */
  #forget(): void {
    this.#lease = undefined;
    for (const map of [this.#known, this.#seen, this.#stuck, this.#behind]) map.clear();
    this.#fold.forget();
  }

  async #news(after: string, limit: number): Promise<readonly TenantId[]> {
    const { version } = this.#platform;
    const query = { after, limit, fingerprint: this.#fingerprint, platformVersion: version };
    const news = await this.#options.store.tenantsWithNews(query);
    for (const { tenantId, head } of news) this.#heads.set(tenantId, head);
    return news.map(({ tenantId }) => tenantId);
  }

  /** What cannot be read or written for a tenant, and would not be by trying again, stops that tenant only. */
  async #serve(tenantId: TenantId, signal: AbortSignal | undefined): Promise<boolean> {
    if (tenantId === PLATFORM_TENANT_ID) {
      await this.#platform.read();
      return false;
    }
    const turn: Turn = { pages: new PagesAhead(this.#options.reader, tenantId), goesOn: true, isLiveDone: false };
    try {
      if (!(await this.#obey(tenantId))) return false;
      for (let batch = 1; batch <= batchesPerTurn; batch++) {
        turn.goesOn = batch < batchesPerTurn;
        if (signal?.aborted || !(await this.#lead()) || !(await this.#work(tenantId, turn))) return false;
      }
      return true;
    } catch (error) {
      if (!isEventplaneError(error) || error.retryable) throw error;
      const tenant = this.#known.get(tenantId);
      const live = tenant?.builds.find(({ role }) => role === "live");
      if (live === undefined) throw error;
      const position = (live.cursor?.position ?? 0) + 1;
      await this.#stop(tenantId, live, { position, code: error.code, message: error.message });
      return false;
    } finally {
      await turn.pages.end();
    }
  }

  /** Carries out what is asked of the tenant. @returns false when there is nothing to be done for it */
  async #obey(tenantId: TenantId): Promise<boolean> {
    const { reader, definition, store } = this.#options;
    const tenant = this.#known.get(tenantId) ?? (await store.tenant(tenantId));
    this.#known.set(tenantId, tenant);
    const head = this.#heads.get(tenantId);
    this.#heads.delete(tenantId);
    const asksAll = this.#platform.version > tenant.platformVersion;
    if (head !== undefined && this.#seen.get(tenantId) === head && !asksAll) return false;
    const own = await requestsAfter(reader, { tenantId, projection: definition.name, version: tenant.ownVersion });
    const basis = { version: definition.version, fingerprint: this.#fingerprint, own, platform: this.#platform };
    const steps = planFor(tenant, basis);
    if (steps.length > 0) {
      if (!(await this.#change(tenantId, steps))) return false;
      if (steps.some(({ step }) => step === "open")) this.#fold.forget();
      this.#stuck.delete(tenantId);
    }
    const stands = !this.#runnable(tenantId).some(({ role }) => role !== "retired");
    if (stands && head !== undefined) this.#seen.set(tenantId, head);
    else this.#seen.delete(tenantId);
    return true;
  }

  #isStuck(tenantId: TenantId, build: number): boolean {
    return this.#stuck.get(tenantId)?.has(build) === true;
  }

  /** Builds that this process may work on now. */
  #runnable(tenantId: TenantId): readonly Build[] {
    const tenant = this.#known.get(tenantId);
    if (tenant === undefined) return [];
    const isPaused = tenant.isPaused || this.#platform.isPaused;
    return tenant.builds.filter(
      ({ build, role, fingerprint }) =>
        role === "retired" || (!isPaused && fingerprint === this.#fingerprint && !this.#isStuck(tenantId, build)),
    );
  }

  /** A batch of each build. @returns whether there may be more to do at once */
  async #work(tenantId: TenantId, turn: Turn): Promise<boolean> {
    const builds = this.#runnable(tenantId);
    const live = turn.isLiveDone ? undefined : builds.find(({ role }) => role === "live");
    let more = live !== undefined && (await this.#batch(live, { tenantId, turn }));
    turn.isLiveDone = !more;
    const fresh = builds.find(({ role }) => role === "rebuild" || role === "verify");
    if (fresh !== undefined) more = (await this.#freshen(fresh, { tenantId, turn })) || more;
    const retired = builds.find(({ role }) => role === "retired");
    if (retired !== undefined) more = (await this.#sweep(tenantId, retired)) || more;
    return more;
  }

  /** Folds a fresh build up to where the live one stands, or to the end of the log where that one stands still. */
  async #freshen(fresh: Build, { tenantId, turn }: InTurn): Promise<boolean> {
    const live = this.#runnable(tenantId).find(({ role }) => role === "live");
    const upTo = live === undefined ? Number.POSITIVE_INFINITY : (live.cursor?.position ?? 0);
    const more = await this.#batch(fresh, { tenantId, turn, upTo });
    const now = this.#known.get(tenantId);
    const folded = now?.builds.find(({ build }) => build === fresh.build);
    if (now === undefined || folded === undefined || this.#isStuck(tenantId, fresh.build)) return false;
    const position = folded.cursor?.position ?? 0;
    if (more || position < (live === undefined ? 0 : upTo)) return true;
    return this.#finish(tenantId, folded);
  }

  async #finish(tenantId: TenantId, fresh: Build): Promise<boolean> {
    const { store, logger, definition } = this.#options;
    const tenant = this.#known.get(tenantId);
    const live = tenant?.builds.find(({ role }) => role === "live");
    if (tenant === undefined || live === undefined) return false;
    const isSame = live.fingerprint === fresh.fingerprint && live.cursor?.position === fresh.cursor?.position;
    const digests = isSame ? await store.digests(tenantId, [live.build, fresh.build]) : [];
    const [one, other] = digests;
    const check =
      one === undefined || other === undefined
        ? undefined
        : { position: one.position, live: one.digest, fresh: other.digest };
    if (check !== undefined && check.live !== check.fresh) {
      logger.error(
        { projection: definition.name, tenantId, ...check },
        "A projection folded anew differs from the one that was read",
      );
    }
    const steps: readonly ProjectionStep[] =
      fresh.role === "verify"
        ? [{ step: "appoint", build: fresh.build, role: "retired" }, noteStep(tenant, { check })]
        : [
            { step: "appoint", build: live.build, role: "retired" },
            { step: "appoint", build: fresh.build, role: "live" },
            noteStep(tenant, { check, failure: undefined }),
          ];
    return this.#change(tenantId, steps);
  }

  async #sweep(tenantId: TenantId, { build }: Build): Promise<boolean> {
    const epoch = this.#lease?.epoch;
    if (epoch === undefined) return false;
    const removed = await this.#options.store.sweep(epoch, tenantId, build, sweepRows);
    if (removed === undefined) {
      this.#forget();
      return false;
    }
    return removed >= sweepRows || this.#change(tenantId, [{ step: "close", build }]);
  }

  /** Folds the next events onto a build. @returns whether there may be more at once */
  async #batch(build: Build, { tenantId, turn, upTo = Number.POSITIVE_INFINITY }: InTurn): Promise<boolean> {
    const from = build.cursor?.position ?? 0;
    const limit = Math.min(this.#batchEvents, upTo - from);
    if (limit <= 0) return false;
    const rows = await turn.pages.read(build.build, { after: from, limit });
    if (rows.length === this.#batchEvents) this.#batchEvents = nextPageLimit(limit, rows, batchBytesAim);
    if (turn.goesOn && rows.length === limit)
      turn.pages.begin(build.build, rows, { limitMax: this.#batchEvents, upTo });
    if (build.role === "live") this.#noteLag(tenantId, rows);
    if (rows.length === 0) {
      if (build.cursor !== undefined) await this.#checkEnd(tenantId, build);
      return false;
    }
    const folded = await this.#fold.fold(tenantId, build, rows);
    const { to, writes, failure } = folded;
    if (to !== undefined && to.position !== from) {
      const advance: ProjectionStep = { step: "advance", build: build.build, from: build.cursor, to, writes };
      if (!(await this.#change(tenantId, [advance, ...this.#recovered(tenantId, to.position)]))) return false;
      this.#fold.keep(tenantId, build, folded);
    }
    if (failure !== undefined) {
      await this.#stop(tenantId, build, failure);
      return false;
    }
    const isAll = to?.position === rows.at(-1)?.position;
    if (build.role === "live" && isAll && rows.length < limit) this.#behind.delete(tenantId);
    return !isAll || rows.length === limit;
  }

  /** What stopped the tenant once has been folded now, unless it was another build that stands there still. */
  #recovered(tenantId: TenantId, position: number): readonly ProjectionStep[] {
    const tenant = this.#known.get(tenantId);
    if (tenant?.failure === undefined || tenant.failure.position > position || this.#stuck.has(tenantId)) return [];
    return [noteStep(tenant, { failure: undefined })];
  }

  /** A log that is shorter than its cursor was restored from an older backup, or cut. */
  async #checkEnd(tenantId: TenantId, build: Build): Promise<void> {
    const { position } = await this.#options.reader.head(tenantId);
    const at = build.cursor?.position ?? 0;
    if (position >= at) return;
    const message = `The log of tenant ${tenantId} ends at position ${position}, before what is in the projection. Run evtctl verify.`;
    await this.#stop(tenantId, build, { position: at, code: "verification_failed", message });
  }

  async #stop(tenantId: TenantId, build: Build, failure: FoldFailure): Promise<void> {
    const { logger, definition } = this.#options;
    const tenant = this.#known.get(tenantId);
    if (tenant === undefined) return;
    this.#stuck.set(tenantId, new Set(this.#stuck.get(tenantId)).add(build.build));
    this.#summaryAtMs = 0;
    logger.error({ projection: definition.name, tenantId, ...failure }, "A projection of a tenant stands still");
    await this.#change(tenantId, [noteStep(tenant, { failure })]);
  }

  /** @returns false when another leads since; nothing is done then */
  async #change(tenantId: TenantId, steps: readonly ProjectionStep[]): Promise<boolean> {
    const { store, clock } = this.#options;
    const epoch = this.#lease?.epoch;
    const tenant = this.#known.get(tenantId);
    if (epoch === undefined || tenant === undefined) return false;
    if (!(await store.change(epoch, tenantId, steps))) {
      this.#forget();
      return false;
    }
    const nowUs = clock.nowUs();
    this.#known.set(
      tenantId,
      steps.reduce((before, step) => afterStep(before, step, nowUs), tenant),
    );
    return true;
  }

  #noteLag(tenantId: TenantId, rows: readonly EventRow[]): void {
    const [first] = rows;
    if (first === undefined) this.#behind.delete(tenantId);
    else this.#behind.set(tenantId, first.recordedAtUs);
  }
}
