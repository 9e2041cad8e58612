/** Loads resources as verified folds: what controllers decide on and what guards look at. */
import type { AppDefinition, EventRow, FoldableRow, Resource, Verifier } from "../event/index.js";
import { foldEvent } from "../event/index.js";
import { EventplaneError, isEventplaneError, LruMap, type TenantId } from "../kernel/index.js";
import { firstPageLimit, nextPageLimit } from "./page-limit.js";
import type { LogReader } from "./port.js";
import type { SnapshotBook } from "./snapshot-book.js";

/** The name of a stream within its tenant. */
export interface StreamName {
  readonly aggregateType: string;
  readonly aggregateId: string;
}

/** How to make a loader. */
export interface ResourceLoaderOptions {
  readonly reader: LogReader;
  readonly verifier: Verifier;
  readonly app: Pick<AppDefinition, "aggregates">;
  /** Without it every stream that is not kept is folded from its beginning. */
  readonly snapshots?: SnapshotBook;
  /** Folds kept, those used last; default 1,024. Folds of more than 64 KiB of JSON are not kept. */
  readonly foldsMax?: number;
}

/** A fold that is kept, and the version of the last snapshot of its stream that this process knows of; 0: none. */
interface Kept {
  readonly resource: Resource;
  readonly snapshot: number;
}

/** Where a fold begins: at a kept one, or with the first page of the stream. */
interface FoldFrom {
  readonly kept?: Kept | undefined;
  readonly rows?: readonly EventRow[] | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Events verified and folded in one go: about 20 ms of the thread. */
const pageLimitMax = 250;
const foldsMaxDefault = 1_024;
const foldCharactersMax = 65_536;

/**
 * Every event is verified before it is folded; a kept fold is never verified again, only what came after it is read. A long
 * stream that is not kept is folded on from its last snapshot, if there is one that can be believed.
 *
 * A fold is of what was committed when `load` read it: it may be old when it is used, so appends carry its version.
 */
export class ResourceLoader {
  readonly #options: ResourceLoaderOptions;
  readonly #folds: LruMap<string, Kept>;
  /** Long streams that are being folded from their beginning. */
  readonly #folding = new Map<string, Promise<Kept | undefined>>();

  constructor(options: ResourceLoaderOptions) {
    this.#options = options;
    this.#folds = new LruMap(options.foldsMax ?? foldsMaxDefault);
  }

  /**
   * The fold of all of the stream's events; undefined when it has none.
   *
   * @throws EventplaneError `verification_failed` when an event cannot be proven or does not fit its stream, `key_unknown`
   * when its signing key has not been introduced here, `unavailable`, `aborted`
   */
  async load(tenantId: TenantId, stream: StreamName, signal?: AbortSignal): Promise<Resource | undefined> {
    const key = keyOf(tenantId, stream);
    const kept = (await this.#folding.get(key)) ?? this.#folds.get(key);
    if (kept !== undefined) return (await this.#foldOn(tenantId, stream, { kept, signal }))?.resource;
    const query = { afterVersion: 0, limit: firstPageLimit };
    const rows = await this.#read(tenantId, stream, { query, signal });
    if (rows.length < firstPageLimit) return (await this.#foldOn(tenantId, stream, { rows, signal }))?.resource;
    const opened = await this.#options.snapshots?.open(tenantId, stream);
    if (opened === undefined) return this.#foldWhole(tenantId, stream, { rows, signal });
    const snapshot = { resource: opened, snapshot: opened.version };
    return (await this.#foldOn(tenantId, stream, { kept: snapshot, signal }))?.resource;
  }

  /**
   * The resource with rows folded in that this process itself has just appended, so that they need not be read again.
   *
   * @throws EventplaneError `event_corrupt` when they do not follow
   */
  apply(resource: Resource, rows: readonly FoldableRow[]): Resource {
    const after = rows.reduce<Resource>((fold, row) => this.#fold(fold, row), resource);
    this.#keep({ resource: after, snapshot: this.#folds.get(keyOf(after.tenantId, after))?.snapshot ?? 0 });
    return after;
  }

  /** Waits until the snapshots that were taken are written. */
  async settled(): Promise<void> {
    await this.#options.snapshots?.settled();
  }

  /** Whoever asks for a long stream while it is folded from its beginning waits for that, instead of doing it too. */
  async #foldWhole(tenantId: TenantId, stream: StreamName, from: FoldFrom): Promise<Resource | undefined> {
    const key = keyOf(tenantId, stream);
    for (let others = this.#folding.get(key); others !== undefined; others = this.#folding.get(key)) {
      const kept = await others;
      if (kept !== undefined) return (await this.#foldOn(tenantId, stream, { kept, signal: from.signal }))?.resource;
    }
    const folding = this.#foldOn(tenantId, stream, from);
    this.#folding.set(
      key,
      folding.catch(() => undefined), // whoever waits does it again
    );
    try {
      return (await folding)?.resource;
    } finally {
      this.#folding.delete(key);
    }
  }

  /** Page by page, in slices that hold nobody else up for long. */
  async #foldOn(
    tenantId: TenantId,
    stream: StreamName,
    { kept, rows: first, signal }: FoldFrom,
  ): Promise<Kept | undefined> {
    let resource = kept?.resource;
    let snapshot = kept?.snapshot ?? 0;
    let rows = first;
    let limit = firstPageLimit;
    for (;;) {
      const query = { afterVersion: resource?.version ?? 0, limit };
      rows ??= await this.#read(tenantId, stream, { query, signal });
      for (const row of rows) resource = this.#foldVerified(resource, row);
      const row = rows.at(-1);
      if (row === undefined || resource === undefined) break;
      snapshot = this.#options.snapshots?.keep(resource, { row, last: snapshot }) ?? snapshot;
      if (rows.length < limit) break;
      limit = Math.min(nextPageLimit(limit, rows), pageLimitMax);
      rows = undefined;
    }
    if (resource === undefined) return undefined;
    this.#keep({ resource, snapshot });
    return { resource, snapshot };
  }

  #read(
    tenantId: TenantId,
    stream: StreamName,
    options: { readonly query: { afterVersion: number; limit: number }; readonly signal: AbortSignal | undefined },
  ): Promise<readonly EventRow[]> {
    if (options.signal?.aborted)
      throw new EventplaneError("aborted", "Loading the resource was aborted by its caller.");
    return this.#options.reader.readStream(tenantId, stream, options.query);
  }

  #foldVerified(resource: Resource | undefined, row: EventRow): Resource {
    this.#options.verifier.verify(row);
    try {
      return this.#fold(resource, row);
    } catch (error) {
      if (!isEventplaneError(error, "event_corrupt")) throw error;
      throw new EventplaneError("verification_failed", error.message, { details: error.details, cause: error });
    }
  }

  #fold(resource: Resource | undefined, row: FoldableRow): Resource {
    return foldEvent(resource, row, this.#options.app.aggregates.get(row.aggregateType));
  }

  #keep(kept: Kept): void {
    const { resource } = kept;
    const key = keyOf(resource.tenantId, resource);
    if ((this.#folds.get(key)?.resource.version ?? 0) >= resource.version) return;
    if (JSON.stringify(resource).length <= foldCharactersMax) this.#folds.set(key, kept);
    else this.#folds.delete(key);
  }
}

function keyOf(tenantId: TenantId, { aggregateType, aggregateId }: StreamName): string {
  return `${tenantId} ${aggregateType} ${aggregateId}`;
}
