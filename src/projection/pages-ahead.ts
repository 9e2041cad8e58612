/** The pages of a tenant's log that a turn folds, the next one on its way while the one before is folded and written. */
import type { EventRow } from "../event/index.js";
import type { TenantId } from "../kernel/index.js";
import type { LogReader } from "../store/index.js";

interface Place {
  readonly after: number;
  readonly limit: number;
}
interface Ahead extends Place {
  readonly rows: Promise<readonly EventRow[]>;
}

/** Of one turn of one tenant: what is read ahead is at most a turn old, and of each build at most one page. */
export class PagesAhead {
  readonly #reader: Pick<LogReader, "read">;
  readonly #tenantId: TenantId;
  readonly #ahead = new Map<number, Ahead>();

  constructor(reader: Pick<LogReader, "read">, tenantId: TenantId) {
    this.#reader = reader;
    this.#tenantId = tenantId;
  }

  /** The page for a build. @throws EventplaneError as the reader, also for a page that was read ahead */
  read(build: number, { after, limit }: Place): Promise<readonly EventRow[]> {
    const ahead = this.#ahead.get(build);
    if (ahead?.after === after && ahead.limit === limit) {
      this.#ahead.delete(build);
      return ahead.rows;
    }
    return this.#reader.read(this.#tenantId, { after, limit });
  }

  /** Begins to read the page behind `rows`. @param upTo the last position that is wanted */
  begin(build: number, rows: readonly EventRow[], { limitMax, upTo }: { limitMax: number; upTo: number }): void {
    const after = rows.at(-1)?.position ?? 0;
    const limit = Math.min(limitMax, upTo - after);
    if (limit <= 0) return;
    const ahead = this.#reader.read(this.#tenantId, { after, limit });
    ahead.catch(() => undefined); // thrown to whoever takes the page
    this.#ahead.set(build, { after, limit, rows: ahead });
  }

  /** Waits for what nobody took. */
  async end(): Promise<void> {
    await Promise.allSettled([...this.#ahead.values()].map(({ rows }) => rows));
  }
}
