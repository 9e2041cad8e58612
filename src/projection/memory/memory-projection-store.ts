/** A projection's tables in memory: the executable specification, and what unit tests and the kit fold into. */
import type { ProjectionDefinition } from "../../event/index.js";
import { type Clock, PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import type { LogReader } from "../../store/index.js";
import { layoutOf, type StoredRow, type StoredTotals } from "../layout.js";
import { afterStep } from "../plan.js";
import type {
  ProjectionStep,
  ProjectionStore,
  ProjectionSummary,
  TenantNews,
  TenantNotes,
  TenantProjection,
} from "../projection-port.js";
import { StateDigest } from "../state-digest.js";
import { addedTotals, type RowName, type TableWrites } from "../table-writes.js";

/** What the store is over. */
export interface MemoryProjectionLog {
  readonly reader: LogReader;
  tenants(): readonly TenantId[];
}

type Rows = Map<string, StoredRow>;
type Totals = Map<string, StoredTotals>;
interface Tables {
  readonly rows: Map<string, Rows>;
  readonly totals: Map<string, Totals>;
}

const nothingNoted: TenantNotes = {
  ownVersion: 0,
  platformVersion: 0,
  isPaused: false,
  failure: undefined,
  check: undefined,
};

/** One projection of one process. */
export class MemoryProjectionStore implements ProjectionStore {
  readonly #definition: ProjectionDefinition;
  readonly #log: MemoryProjectionLog;
  readonly #clock: Clock;
  readonly #tenants = new Map<TenantId, TenantProjection>();
  readonly #tables = new Map<string, Tables>();
  #lease = { holder: "", epoch: 0, untilUs: 0 };

  constructor(definition: ProjectionDefinition, log: MemoryProjectionLog, clock: Clock) {
    this.#definition = definition;
    this.#log = log;
    this.#clock = clock;
  }

  async lead(holder: string, leaseMs: number): Promise<number | undefined> {
    const nowUs = this.#clock.nowUs();
    const isOwn = this.#lease.holder === holder;
    if (!isOwn && this.#lease.untilUs >= nowUs) return undefined;
    this.#lease = { holder, epoch: this.#lease.epoch + (isOwn ? 0 : 1), untilUs: nowUs + leaseMs * 1_000 };
    return this.#lease.epoch;
  }

  async resign(holder: string): Promise<void> {
    if (this.#lease.holder === holder) this.#lease = { ...this.#lease, untilUs: 0 };
  }

  async tenantsWithNews(query: {
    readonly after: string;
    readonly limit: number;
    readonly fingerprint: string;
    readonly platformVersion: number;
  }): Promise<readonly TenantNews[]> {
    const found: TenantNews[] = [];
    for (const tenantId of [...this.#log.tenants()].sort()) {
      if (tenantId <= query.after || tenantId === PLATFORM_TENANT_ID || found.length === query.limit) continue;
      const { position: head } = await this.#log.reader.head(tenantId);
      const { builds, platformVersion } = this.#tenantOf(tenantId);
      const live = builds.find(({ role }) => role === "live");
      const isDone =
        live?.fingerprint === query.fingerprint &&
        (live.cursor?.position ?? 0) === head &&
        builds.length === 1 &&
        platformVersion >= query.platformVersion;
      if (!isDone) found.push({ tenantId, head });
    }
    return found;
  }

  async tenant(tenantId: TenantId): Promise<TenantProjection> {
    return this.#tenantOf(tenantId);
  }

  async load(tenantId: TenantId, build: number, names: readonly RowName[]): Promise<readonly (RowName & StoredRow)[]> {
    const { rows } = this.#tablesOf(tenantId, build);
    return names.flatMap((name) => {
      const row = rows.get(name.table)?.get(name.key);
      return row === undefined ? [] : [{ ...name, ...row }];
    });
  }

  async change(epoch: number, tenantId: TenantId, steps: readonly ProjectionStep[]): Promise<boolean> {
    if (epoch !== this.#lease.epoch) return false;
    if (!steps.every((step) => this.#isPossible(tenantId, step))) return false;
    for (const step of steps)
      if (step.step === "advance") this.#write(this.#tablesOf(tenantId, step.build), step.writes);
    this.#tenants.set(
      tenantId,
      steps.reduce((tenant, step) => afterStep(tenant, step, this.#clock.nowUs()), this.#tenantOf(tenantId)),
    );
    return true;
  }

  async sweep(epoch: number, tenantId: TenantId, build: number, limit: number): Promise<number | undefined> {
    if (epoch !== this.#lease.epoch) return undefined;
    const { rows, totals } = this.#tablesOf(tenantId, build);
    let removed = 0;
    for (const table of [...rows.values(), ...totals.values()]) {
      for (const key of [...table.keys()].slice(0, limit)) {
        table.delete(key);
        removed++;
      }
    }
    return removed;
  }

  async digests(
    tenantId: TenantId,
    builds: readonly number[],
  ): Promise<readonly { readonly build: number; readonly position: number; readonly digest: string }[]> {
    const known = this.#tenantOf(tenantId).builds;
    return builds.map((build) => ({
      build,
      position: known.find((each) => each.build === build)?.cursor?.position ?? 0,
      digest: this.#digest(this.#tablesOf(tenantId, build)),
    }));
  }

  async summary(wanted: number): Promise<ProjectionSummary> {
    const stopped = new Map<string, number>();
    let lagEvents = 0;
    let differing = 0;
    let waiting = 0;
    let fresh = { tenants: 0, position: 0, head: 0 };
    for (const [tenantId, { builds, failure, check, platformVersion }] of this.#tenants) {
      const live = builds.find(({ role }) => role === "live");
      const { position: head } = await this.#log.reader.head(tenantId);
      lagEvents += head - (live?.cursor?.position ?? 0);
      if (platformVersion < wanted) waiting++;
      const anew = builds.find(({ role }) => role === "rebuild" || role === "verify");
      if (anew !== undefined) {
        const position = fresh.position + (anew.cursor?.position ?? 0);
        fresh = { tenants: fresh.tenants + 1, position, head: fresh.head + head };
      }
      if (check?.live !== check?.fresh) differing++;
      if (failure !== undefined) stopped.set(failure.code, (stopped.get(failure.code) ?? 0) + 1);
    }
    const codes = [...stopped].sort(([one], [other]) => (one < other ? -1 : 1));
    return {
      tenants: this.#tenants.size,
      lagEvents,
      stopped: codes.map(([code, tenants]) => ({ code, tenants })),
      differing,
      fresh,
      waiting,
    };
  }

  /** The values of a declared table's stored rows and totals, by key; for the reader. */
  tables(
    tenantId: TenantId,
    build: number,
  ): { readonly rows: ReadonlyMap<string, Rows>; readonly totals: ReadonlyMap<string, Totals> } {
    return this.#tablesOf(tenantId, build);
  }

  /** A stored table of totals as all tenants read it. */
  *liveTotals(stored: string): Generator<StoredTotals> {
    for (const [tenantId, { builds }] of this.#tenants) {
      const live = builds.find(({ role }) => role === "live");
      if (live !== undefined) yield* this.#tablesOf(tenantId, live.build).totals.get(stored)?.values() ?? [];
    }
  }

  #isPossible(tenantId: TenantId, step: ProjectionStep): boolean {
    if (step.step !== "advance") return true;
    const at = this.#tenantOf(tenantId).builds.find(({ build }) => build === step.build)?.cursor;
    return at?.position === step.from?.position;
  }

  #write(tables: Tables, writes: TableWrites): void {
    const totals = [...writes.totals].map(([name, changed]) => {
      const table = tableOf(tables.totals, name);
      const next = [...changed].map(([key, added]) => {
        const zero = { key, values: added.map(() => 0) };
        return addedTotals(table.get(key) ?? zero, added);
      });
      return { table, next };
    });
    for (const { table, next } of totals) {
      for (const sums of next) {
        if (sums.values.every((value) => value === 0)) table.delete(sums.key);
        else table.set(sums.key, sums);
      }
    }
    for (const [name, changed] of writes.rows) {
      const table = tableOf(tables.rows, name);
      for (const [key, row] of changed) {
        if (row === undefined) table.delete(key);
        else table.set(key, row);
      }
    }
  }

  #digest({ rows, totals }: Tables): string {
    const digest = new StateDigest();
    for (const { name, kind } of layoutOf(this.#definition)) {
      digest.table(name);
      const table = kind === "rows" ? rows.get(name) : totals.get(name);
      for (const key of [...(table?.keys() ?? [])].sort((one, other) =>
        Buffer.compare(Buffer.from(one), Buffer.from(other)),
      )) {
        const row = rows.get(name)?.get(key);
        const values = totals.get(name)?.get(key)?.values;
        digest.row(row ?? { key, position: 0, value: values?.join(",") ?? "" });
      }
    }
    return digest.hex();
  }

  #tenantOf(tenantId: TenantId): TenantProjection {
    return this.#tenants.get(tenantId) ?? { ...nothingNoted, builds: [] };
  }

  #tablesOf(tenantId: TenantId, build: number): Tables {
    const key = `${tenantId} ${build}`;
    const tables = this.#tables.get(key) ?? { rows: new Map(), totals: new Map() };
    this.#tables.set(key, tables);
    return tables;
  }
}

function tableOf<Row>(tables: Map<string, Map<string, Row>>, name: string): Map<string, Row> {
  const table = tables.get(name) ?? new Map<string, Row>();
  tables.set(name, table);
  return table;
}
