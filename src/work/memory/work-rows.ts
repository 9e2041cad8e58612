/** The rows of the work table in memory, by key. */
import type { TenantId } from "../../kernel/index.js";
import { effectRowType, type WorkFailure, type WorkKey } from "../port.js";

/** One row. Times in microseconds; `dueAtUs` of a leased row is the end of its lease. */
export interface WorkRow extends WorkKey {
  state: "idle" | "ready" | "dead";
  dueAtUs: number;
  leaseToken: string | null;
  attempts: number;
  /** Version of the newest event that woke the row, and the newest that its component has certainly seen. */
  woken: number;
  seen: number;
  /** Generation opened by the newest spec-bearing event that woke the row. */
  wokenGeneration: number;
  failure: (WorkFailure & { readonly generation: number | null }) | null;
  deadSinceUs: number;
}

function keyText({ tenantId, aggregateType, aggregateId, component }: WorkKey): string {
  return `${tenantId} ${aggregateType} ${aggregateId} ${component}`;
}

/** Rows by key, and what an event does to them. */
export class WorkRows {
  readonly #rows = new Map<string, WorkRow>();

  get(key: WorkKey): WorkRow | undefined {
    return this.#rows.get(keyText(key));
  }

  /** An event of `version` that opened generation `opened` (0: none) asks the row's component to look. */
  wake(key: WorkKey, event: { readonly version: number; readonly opened: number; readonly nowUs: number }): void {
    const { version, opened, nowUs } = event;
    const row = this.get(key);
    if (row === undefined) {
      this.#rows.set(keyText(key), { ...fresh, ...key, woken: version, wokenGeneration: opened, dueAtUs: nowUs });
      return;
    }
    const isNewWish = opened > row.wokenGeneration;
    row.woken = Math.max(row.woken, version);
    row.wokenGeneration = Math.max(row.wokenGeneration, opened);
    if (row.state === "dead") {
      if (opened > (row.failure?.generation ?? Number.POSITIVE_INFINITY)) this.revive(row, nowUs);
      return;
    }
    const inBackoff = row.state === "ready" && row.attempts > 0 && !isNewWish;
    if (isNewWish) row.attempts = 0;
    if (version <= row.seen) return;
    if (row.leaseToken === null || row.dueAtUs <= nowUs) row.dueAtUs = inBackoff ? row.dueAtUs : nowUs;
    row.state = "ready";
  }

  /** An effect that was asked for: due now, unless it is known. */
  ask(key: WorkKey, nowUs: number): void {
    if (this.get(key) !== undefined) return;
    this.#rows.set(keyText(key), { ...fresh, ...key, woken: 0, wokenGeneration: 0, dueAtUs: nowUs });
  }

  /** Somebody decided on an effect at this position: due now, or when its lease ends. */
  decide(key: WorkKey, decision: { readonly position: number; readonly nowUs: number }): void {
    const row = this.get(key);
    if (row === undefined) return;
    row.woken = Math.max(row.woken, decision.position);
    const isLeased = row.leaseToken !== null && row.dueAtUs > decision.nowUs;
    if (!isLeased) this.revive(row, decision.nowUs);
  }

  delete(key: WorkKey): void {
    this.#rows.delete(keyText(key));
  }

  /** Rows of effects, of one tenant or of all. */
  effects(tenantId?: TenantId): WorkRow[] {
    return [...this.#rows.values()].filter(
      (row) => row.aggregateType === effectRowType && (tenantId === undefined || row.tenantId === tenantId),
    );
  }

  /** Notes that the component has decided on the stream up to `version`: events until there need not wake it. */
  sawUpTo(key: WorkKey, version: number): void {
    const row = this.get(key);
    if (row !== undefined) row.seen = Math.max(row.seen, version);
  }

  /** Ends lease, attempts and failure; ready at `dueAtUs`, or idle when null. */
  revive(row: WorkRow, dueAtUs: number | null): void {
    row.state = dueAtUs === null ? "idle" : "ready";
    row.dueAtUs = dueAtUs ?? 0;
    row.leaseToken = null;
    row.attempts = 0;
    row.failure = null;
  }

  deleteStream(stream: Omit<WorkKey, "component">): void {
    const prefix = `${stream.tenantId} ${stream.aggregateType} ${stream.aggregateId} `;
    for (const key of this.#rows.keys()) if (key.startsWith(prefix)) this.#rows.delete(key);
  }

  /** Due rows: one of each tenant in turn, tenants after `after` first, oldest due first. */
  due(query: {
    readonly components: readonly string[];
    readonly nowUs: number;
    readonly after: string;
  }): readonly WorkRow[] {
    const byTenant = new Map<string, WorkRow[]>();
    for (const row of this.#rows.values()) {
      if (row.state !== "ready" || row.dueAtUs > query.nowUs || !query.components.includes(row.component)) continue;
      const rows = byTenant.get(row.tenantId) ?? [];
      rows.push(row);
      byTenant.set(row.tenantId, rows);
    }
    const tenants = [...byTenant.keys()].sort();
    const ring = [...tenants.filter((id) => id > query.after), ...tenants.filter((id) => id <= query.after)];
    const queues = ring.map((id) => (byTenant.get(id) ?? []).sort((a, b) => a.dueAtUs - b.dueAtUs));
    const deepest = Math.max(0, ...queues.map(({ length }) => length));
    return Array.from({ length: deepest }, (_, turn) => queues.flatMap((queue) => queue[turn] ?? [])).flat();
  }

  nextDueUs(components: readonly string[]): number | null {
    let next: number | null = null;
    for (const row of this.#rows.values()) {
      if (row.state === "ready" && components.includes(row.component))
        next = Math.min(next ?? row.dueAtUs, row.dueAtUs);
    }
    return next;
  }

  dead(tenantId: TenantId): WorkRow[] {
    return [...this.#rows.values()].filter((row) => row.state === "dead" && row.tenantId === tenantId);
  }
}

const fresh = {
  state: "ready",
  leaseToken: null,
  attempts: 0,
  seen: 0,
  failure: null,
  deadSinceUs: 0,
} as const;
