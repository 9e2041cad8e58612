/** Keeps the table of resources in step with the log, tenant by tenant, in position order. */
import type { AppDefinition, EventRow, Resource } from "../event/index.js";
import {
  type Clock,
  type Doorbell,
  type ErrorCode,
  type EventplaneError,
  isEventplaneError,
  LruMap,
  type TenantId,
} from "../kernel/index.js";
import type { Logger, Metrics } from "../observe/index.js";
import type { LogReader } from "../store/index.js";
import { foldBatch, streamKey, streamsOf } from "./batch.js";
import type { Cursor } from "./cursor.js";
import type { ResourceTable } from "./port.js";
import { TenantRounds } from "./tenant-rounds.js";

/** How to make a projector. */
export interface ResourcesProjectorOptions {
  readonly table: ResourceTable;
  readonly reader: LogReader;
  readonly app: Pick<AppDefinition, "aggregates">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: Pick<Metrics, "projectionLag">;
  /** Rung by the appends of this process; those of other processes are found by polling. */
  readonly doorbell?: Doorbell;
  /** Default 250 ms. */
  readonly pollMs?: number;
}

/** A tenant whose projection stands still, and why. */
export interface StoppedProjection {
  readonly tenantId: TenantId;
  /** The last position that is in its resources. */
  readonly position: number;
  readonly code: ErrorCode;
  readonly message: string;
}

const batchEvents = 200;
const batchesPerTurn = 4;
const foldsKept = 2_048;
const foldKeptCharactersMax = 32_768;

/** What this process knows of a tenant: where it left the cursor, and folds as they are there. */
interface Known {
  cursor: Cursor | undefined;
}

/**
 * Any number of processes may run one on the same database: a batch counts only if its cursor was where it began, so each
 * event is folded in once; the process that was slower begins anew. An event that does not continue the log or cannot be
 * folded stops its tenant, with an alarm; the others go on.
 */
export class ResourcesProjector {
  readonly #options: ResourcesProjectorOptions;
  readonly #rounds: TenantRounds;
  readonly #known = new Map<TenantId, Known>();
  readonly #folds: LruMap<string, Resource> = new LruMap(foldsKept);
  readonly #stopped = new Map<TenantId, StoppedProjection>();

  constructor(options: ResourcesProjectorOptions) {
    const { table, metrics, clock, logger, doorbell, pollMs } = options;
    this.#options = options;
    this.#rounds = new TenantRounds({
      clock,
      logger,
      what: "The resources projection",
      doorbell,
      pollMs,
      news: (after, limit) => table.tenantsWithNews(after, limit),
      serve: (tenantId, signal) => this.#serve(tenantId, signal),
      atEnd: () => {
        if (this.#stopped.size === 0) metrics?.projectionLag({ projection: "resources", events: 0, seconds: 0 });
      },
    });
  }

  /** Runs until `signal` aborts; a batch that is under way is finished. Failures of the store are tried again. */
  run(signal: AbortSignal): Promise<void> {
    return this.#rounds.run(signal);
  }

  /** Folds all that is in the log now. */
  catchUp(signal?: AbortSignal): Promise<void> {
    return this.#rounds.catchUp(signal);
  }

  /** The tenants that stand still until an operator acts and the process is started again. */
  stopped(): readonly StoppedProjection[] {
    return [...this.#stopped.values()];
  }

  /** What cannot be read or written for a tenant, and would not be by trying again, stops that tenant only. */
  async #serve(tenantId: TenantId, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      for (let batch = 0; batch < batchesPerTurn; batch++) {
        if (signal?.aborted || this.#stopped.has(tenantId) || !(await this.#batch(tenantId))) return false;
      }
      return true;
    } catch (error) {
      if (!isEventplaneError(error) || error.retryable) throw error;
      this.#stop(tenantId, this.#known.get(tenantId)?.cursor, error);
      return false;
    }
  }

  /** @returns whether there may be more to fold at once */
  async #batch(tenantId: TenantId): Promise<boolean> {
    const { app, reader, table } = this.#options;
    const known = await this.#knownOf(tenantId);
    const from = known.cursor;
    const rows = await reader.read(tenantId, { after: from?.position ?? 0, limit: batchEvents });
    if (rows.length === 0) return this.#checkEnd(tenantId, from);
    this.#reportLag(rows);
    const before = await this.#foldsBefore(tenantId, rows);
    const { to, folds, poison } = foldBatch(rows, { from, before, aggregates: app.aggregates });
    if (to !== undefined && to.position !== from?.position) {
      if (!(await table.apply(tenantId, { from, to, folds }))) {
        this.#forget(tenantId);
        return false;
      }
      known.cursor = to;
      for (const fold of folds) this.#keep(fold);
    }
    if (poison === undefined) return rows.length === batchEvents;
    // Folds that another process has moved on do not fit these rows: that is no fault of the log.
    if ((await table.cursor(tenantId))?.position === to?.position) this.#stop(tenantId, to, poison);
    else this.#forget(tenantId);
    return true;
  }

  /** A log that is shorter than its cursor was restored from an older backup, or cut. */
  async #checkEnd(tenantId: TenantId, from: Cursor | undefined): Promise<false> {
    if (from === undefined) return false;
    const head = await this.#options.reader.head(tenantId);
    if (head.position < from.position) {
      this.#stop(tenantId, from, {
        code: "verification_failed",
        message: `The log of tenant ${tenantId} ends at position ${head.position}, before what is in its resources. Run evtctl verify.`,
      });
    }
    return false;
  }

  async #knownOf(tenantId: TenantId): Promise<Known> {
    const known = this.#known.get(tenantId);
    if (known !== undefined) return known;
    const fresh = { cursor: await this.#options.table.cursor(tenantId) };
    this.#known.set(tenantId, fresh);
    return fresh;
  }

  async #foldsBefore(tenantId: TenantId, rows: readonly EventRow[]): Promise<ReadonlyMap<string, Resource>> {
    const before = new Map<string, Resource>();
    const missing = streamsOf(rows).filter((stream) => {
      const fold = this.#folds.get(`${tenantId} ${streamKey(stream)}`);
      if (fold !== undefined) before.set(streamKey(stream), fold);
      return fold === undefined;
    });
    // A stream whose first event is in the batch has no fold yet.
    const begun = new Set(rows.filter(({ version }) => version === 1).map(streamKey));
    const stored = missing.filter((stream) => !begun.has(streamKey(stream)));
    if (stored.length === 0) return before;
    for (const fold of await this.#options.table.folds(tenantId, stored)) before.set(streamKey(fold), fold);
    return before;
  }

  #keep(fold: Resource): void {
    const key = `${fold.tenantId} ${streamKey(fold)}`;
    if (JSON.stringify(fold).length <= foldKeptCharactersMax) this.#folds.set(key, fold);
    else this.#folds.delete(key);
  }

  /** Another process has moved the cursor: what is known here is old. */
  #forget(tenantId: TenantId): void {
    this.#known.delete(tenantId);
    this.#folds.clear();
  }

  #stop(tenantId: TenantId, at: Cursor | undefined, error: Pick<EventplaneError, "code" | "message">): void {
    const stopped = { tenantId, position: at?.position ?? 0, code: error.code, message: error.message };
    this.#stopped.set(tenantId, stopped);
    this.#options.logger.error(stopped, "The resources of a tenant stand still");
  }

  #reportLag(rows: readonly EventRow[]): void {
    const { clock, metrics } = this.#options;
    const seconds = Math.max(0, (clock.nowUs() - (rows[0]?.recordedAtUs ?? 0)) / 1_000_000);
    metrics?.projectionLag({ projection: "resources", events: rows.length, seconds });
  }
}
