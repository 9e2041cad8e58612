/** Loads resources as verified folds: what controllers decide on and what guards look at. */
import type { AppDefinition, EventRow, FoldableRow, Resource, Verifier } from "../event/index.js";
import { foldEvent } from "../event/index.js";
import { EventplaneError, isEventplaneError, LruMap, type TenantId } from "../kernel/index.js";
import type { LogReader } from "./port.js";
import { firstPageLimit, nextPageLimit } from "./subscription-read.js";

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
  /** Folds kept, those used last; default 1,024. Folds of more than 64 KiB of JSON are not kept. */
  readonly foldsMax?: number;
}

const foldsMaxDefault = 1_024;
const foldCharactersMax = 65_536;

/**
 * Every event is verified before it is folded; a kept fold is never verified again, only what came after it is read.
 *
 * A fold is of what was committed when `load` read it: it may be old when it is used, so appends carry its version.
 */
export class ResourceLoader {
  readonly #options: ResourceLoaderOptions;
  readonly #folds: LruMap<string, Resource>;

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
    let resource = this.#folds.get(keyOf(tenantId, stream));
    let limit = firstPageLimit;
    for (;;) {
      if (signal?.aborted) throw new EventplaneError("aborted", "Loading the resource was aborted by its caller.");
      const afterVersion = resource?.version ?? 0;
      const rows = await this.#options.reader.readStream(tenantId, stream, { afterVersion, limit });
      for (const row of rows) resource = this.#foldVerified(resource, row);
      if (rows.length < limit) break;
      limit = nextPageLimit(limit, rows);
    }
    if (resource !== undefined) this.#keep(resource);
    return resource;
  }

  /**
   * The resource with rows folded in that this process itself has just appended, so that they need not be read again.
   *
   * @throws EventplaneError `event_corrupt` when they do not follow
   */
  apply(resource: Resource, rows: readonly FoldableRow[]): Resource {
    const after = rows.reduce<Resource>((fold, row) => this.#fold(fold, row), resource);
    this.#keep(after);
    return after;
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

  #keep(resource: Resource): void {
    const key = keyOf(resource.tenantId, resource);
    if ((this.#folds.get(key)?.version ?? 0) >= resource.version) return;
    if (JSON.stringify(resource).length <= foldCharactersMax) this.#folds.set(key, resource);
    else this.#folds.delete(key);
  }
}

function keyOf(tenantId: TenantId, { aggregateType, aggregateId }: StreamName): string {
  return `${tenantId} ${aggregateType} ${aggregateId}`;
}
