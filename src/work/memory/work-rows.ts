/** The rows of the work table in memory, by key. */
import type { TenantId } from "../../kernel/index.js";
import { type EffectAsker, effectRowType, type WorkFailure, type WorkKey } from "../port.js";

/** One row. Times in microseconds; `dueAtUs` of a leased row is the end of its lease. */
export interface WorkRow extends WorkKey {
  state: "idle" | "ready" | "dead" | "blocked";
  dueAtUs: number;
  leaseToken: string | null;
  attempts: number;
  /** Version of the newest event that woke the row, and the newest that its component has certainly seen. */
  woken: number;
  seen: number;
  /** Generation opened by the newest spec-bearing event that woke the row. */
  wokenGeneration: number;
  failure: (WorkFailure & { readonly generation: number | null; readonly codeVersion: string }) | null;
  deadSinceUs: number;
  /** Of an effect: who asked, and where in the log. */
  asker: EffectAsker | null;
  position: number;
  /** It was a dead letter, or waited behind one: what comes after it in its sequence waits. */
  blocks: boolean;
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

  /** Due then at the latest, unless it is leased or stands. */
  wakeBy(key: WorkKey, dueAtUs: number): void {
    const row = this.get(key);
    if (row === undefined) {
      this.#rows.set(keyText(key), { ...fresh, ...key, woken: 0, wokenGeneration: 0, dueAtUs });
    } else if (row.leaseToken === null && (row.state === "idle" || row.state === "ready")) {
      row.dueAtUs = row.state === "idle" ? dueAtUs : Math.min(row.dueAtUs, dueAtUs);
      row.state = "ready";
    }
  }

  /** An effect that was asked for: due now, unless it is known or waits behind a dead letter. */
  ask(key: WorkKey, ask: { readonly asker: EffectAsker; readonly position: number; readonly nowUs: number }): void {
    if (this.get(key) !== undefined) return;
    const { asker, position, nowUs } = ask;
    const row: WorkRow = { ...fresh, ...key, woken: 0, wokenGeneration: 0, dueAtUs: nowUs, asker, position };
    if (this.hasBlocker(row)) row.state = "blocked";
    this.#rows.set(keyText(key), row);
  }

  /** What the resource of this effect asked of the same worker in the same generation, in order. */
  sequenceOf({ tenantId, component, asker }: WorkRow): WorkRow[] {
    if (asker === null) return [];
    const isOfIt = (other: EffectAsker | null): boolean =>
      other?.aggregateType === asker.aggregateType &&
      other.aggregateId === asker.aggregateId &&
      other.generation === asker.generation;
    return this.effects(tenantId)
      .filter((row) => row.component === component && isOfIt(row.asker))
      .sort((a, b) => a.position - b.position);
  }

  /** Whether something earlier in its sequence holds it up. */
  hasBlocker(row: WorkRow): boolean {
    return this.sequenceOf(row).some(({ blocks, position }) => blocks && position < row.position);
  }

  /** A dead letter, and what waits behind it from now on. */
  bury(row: WorkRow, nowUs: number): void {
    row.state = "dead";
    row.deadSinceUs = nowUs;
    row.blocks = row.asker !== null;
    for (const later of this.sequenceOf(row)) {
      const isFree = later.state === "ready" && later.leaseToken === null;
      if (later.position > row.position && isFree) later.state = "blocked";
    }
  }

  /** An effect has ended: the next that it held up gets its turn. */
  end(key: WorkKey, nowUs: number): void {
    const row = this.get(key);
    this.#rows.delete(keyText(key));
    const next = row?.blocks === true ? this.sequenceOf(row).find(({ state }) => state === "blocked") : undefined;
    if (next === undefined || this.hasBlocker(next)) return;
    next.blocks = true;
    this.revive(next, nowUs);
  }

  /** Somebody decided on an effect at this position: due now, or when its lease ends. */
  decide(key: WorkKey, decision: { readonly position: number; readonly nowUs: number }): void {
    const row = this.get(key);
    if (row === undefined) return;
    row.woken = Math.max(row.woken, decision.position);
    const isLeased = row.leaseToken !== null && row.dueAtUs > decision.nowUs;
    if (!isLeased) this.revive(row, decision.nowUs);
  }

  /** Rows of effects, of one tenant or of all. */
  effects(tenantId?: TenantId): WorkRow[] {
    return [...this.#rows.values()].filter(
      (row) => row.aggregateType === effectRowType && (tenantId === undefined || row.tenantId === tenantId),
    );
  }

  /** Removes one row. */
  delete(key: WorkKey): void {
    this.#rows.delete(keyText(key));
  }

  /** Rows of reconciles that are due or leased, of all tenants. */
  ready(): WorkRow[] {
    return [...this.#rows.values()].filter((row) => row.aggregateType !== effectRowType && row.state === "ready");
  }

  /** Rows of reconciles of one tenant. */
  reconciles(tenantId: TenantId): WorkRow[] {
    return [...this.#rows.values()].filter((row) => row.aggregateType !== effectRowType && row.tenantId === tenantId);
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

  /** Dead letters and held effects of all tenants. */
  standing(): WorkRow[] {
    return [...this.#rows.values()].filter(({ state }) => state === "dead");
  }

  dead(tenantId: TenantId): WorkRow[] {
    return this.standing().filter((row) => row.tenantId === tenantId);
  }
}

const fresh = {
  state: "ready",
  leaseToken: null,
  attempts: 0,
  seen: 0,
  failure: null,
  deadSinceUs: 0,
  asker: null,
  position: 0,
  blocks: false,
} as const;
