/** Folds batches of builds, with the rows that `apply` looks at loaded before. */
import type { EventRow, Lift, ProjectionDefinition } from "../event/index.js";
import { LruMap, type TenantId } from "../kernel/index.js";
import { type FoldedRows, type FoldNeeds, ProjectionFold } from "./fold-projection.js";
import type { StoredRow } from "./layout.js";
import type { Build, ProjectionStore } from "./projection-port.js";
import { BatchWrites, invalid, type RowName } from "./table-writes.js";

/** Rows kept from batch to batch, and how large one may be, characters. */
const rowsKept = 8_192;
const rowKeptCharactersMax = 4_096;
/** How often `apply` may look at a row whose key it took from another one, in one batch and in one event. */
const loadsMax = 16;

/** One leader's fold of one projection. What it remembers of rows is true as long as nobody else leads. */
export class BuildFold {
  readonly #store: Pick<ProjectionStore, "load">;
  readonly #fold: ProjectionFold;
  readonly #kept: LruMap<string, StoredRow | null> = new LruMap(rowsKept);

  constructor(
    definition: ProjectionDefinition,
    { store, lift }: { readonly store: Pick<ProjectionStore, "load">; readonly lift: Lift },
  ) {
    this.#store = store;
    this.#fold = new ProjectionFold(definition, lift);
  }

  /**
   * Folds rows onto a build. At most as many as can be folded with {@link loadsMax} looks at the store: `to` tells.
   *
   * Nothing is written; call {@link keep} when it is.
   */
  async fold(tenantId: TenantId, build: Build, rows: readonly EventRow[]): Promise<FoldedRows> {
    const loaded = new Map<string, StoredRow | null>();
    const prefix = prefixOf(tenantId, build);
    const stored = ({ table, key }: RowName): StoredRow | null | undefined => {
      const name = `${prefix}${table} ${key}`;
      const known = loaded.get(name);
      return known === undefined ? this.#kept.get(name) : known;
    };
    let folded = this.#fold.fold(rows, build.cursor, stored);
    for (let loads = 0; "missing" in folded; loads++) {
      if (loads === loadsMax) return this.#fewer(folded, { rows, build, stored });
      const found = await this.#store.load(tenantId, build.build, folded.missing);
      for (const { table, key } of folded.missing) loaded.set(`${prefix}${table} ${key}`, null);
      for (const { table, ...row } of found) loaded.set(`${prefix}${table} ${row.key}`, row);
      folded = this.#fold.fold(rows, build.cursor, stored);
    }
    for (const [name, row] of loaded) this.#remember(name, row);
    return folded;
  }

  /** Remembers rows that were written. */
  keep(tenantId: TenantId, build: Build, { writes }: Pick<FoldedRows, "writes">): void {
    const prefix = prefixOf(tenantId, build);
    for (const [table, rows] of writes.rows) {
      for (const [key, row] of rows) this.#remember(`${prefix}${table} ${key}`, row ?? null);
    }
  }

  /** Another leads, or numbers of builds begin anew: what is known is old. */
  forget(): void {
    this.#kept.clear();
  }

  #remember(name: string, row: StoredRow | null): void {
    if (row === null || row.value.length <= rowKeptCharactersMax) this.#kept.set(name, row);
    else this.#kept.delete(name);
  }

  /** The events before the one that asks for ever more. */
  #fewer(
    { foldable }: FoldNeeds,
    parts: {
      readonly rows: readonly EventRow[];
      readonly build: Build;
      readonly stored: (name: RowName) => StoredRow | null | undefined;
    },
  ): FoldedRows {
    const { rows, build, stored } = parts;
    const folded = this.#fold.fold(rows.slice(0, foldable), build.cursor, stored);
    if (foldable > 0 && !("missing" in folded)) return folded;
    const { code, message } = invalid(`apply of ${rows[0]?.type} looks at rows more than ${loadsMax} times in a chain`);
    const failure = { position: rows[0]?.position ?? 0, code, message };
    return { to: build.cursor, writes: new BatchWrites(() => null), failure };
  }
}

function prefixOf(tenantId: TenantId, { build }: Build): string {
  return `${tenantId} ${build} `;
}
