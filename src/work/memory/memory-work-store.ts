/** Work rows in memory: for unit tests and for planes that need not survive their process. */
import { type EventRow, effectRoleOf, isSpecBearing, readAsk } from "../../event/index.js";
import { type Clock, type JsonObject, limits, type TenantId } from "../../kernel/index.js";
import type { LogReader, WorkLease } from "../../store/index.js";
import {
  type ControllerRows,
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetterGroup,
  type DispatchResult,
  type EffectChange,
  type EffectRow,
  effectRowType,
  type LogPlace,
  type LookedUp,
  type StandingWork,
  type UnattendedRows,
  type Watch,
  type WorkBacklog,
  type WorkClaim,
  type WorkEnd,
  type WorkFailure,
  type WorkKey,
  type WorkStore,
} from "../port.js";
import { controllerRows, unattendedRows } from "./controller-rows.js";
import { groupsOf, isMeant, shownLetter, standing } from "./dead-letters.js";
import { applyEffectChange, shownEffects } from "./effect-rows.js";
import { MemoryLookups } from "./lookups.js";
import { wakesOf } from "./wakes.js";
import { type WorkRow, WorkRows } from "./work-rows.js";

/** The log that the rows are made from; functions, because the store needs `settle` before it can be made. */
export interface MemoryWorkOptions {
  readonly clock: Clock;
  readonly reader: () => LogReader;
  readonly tenants: () => readonly TenantId[];
  /** Of the app that this process runs; dead letters tell it. */
  readonly codeVersion?: string;
}

/** The work table of one process. Give its `settle` to the memory store as `settleLease`. */
export class MemoryWorkStore implements WorkStore {
  readonly #options: MemoryWorkOptions;
  readonly #rows = new WorkRows();
  readonly #lookups = new MemoryLookups();
  readonly #cursors = new Map<TenantId, number>();
  readonly #effectPlaces = new Map<TenantId, LogPlace>();
  #changesPlace: LogPlace | undefined;
  #claimedLast = "";
  #leases = 0;

  constructor(options: MemoryWorkOptions) {
    this.#options = options;
  }

  async dispatch(watches: readonly Watch[], tenantId?: TenantId): Promise<DispatchResult> {
    const tenants = tenantId === undefined ? this.#options.tenants() : [tenantId];
    const results = await Promise.all(tenants.map((tenant) => this.#dispatchTenant(watches, tenant)));
    return {
      events: results.reduce((sum, { events }) => sum + events, 0),
      more: results.some(({ more }) => more),
      broken: [],
    };
  }

  async #dispatchTenant(watches: readonly Watch[], tenantId: TenantId): Promise<DispatchResult> {
    const after = this.#cursors.get(tenantId) ?? 0;
    const events = await this.#options.reader().read(tenantId, { after, limit: limits.readPageMax });
    const askers = await this.#askersOf(tenantId, events);
    const last = events.at(-1);
    // Another dispatch may have been faster while this one read.
    if (last === undefined || (this.#cursors.get(tenantId) ?? 0) !== after)
      return { events: 0, more: false, broken: [] };
    this.#cursors.set(tenantId, last.position);
    for (const { decision, ...event } of events) {
      if (decision !== null)
        this.#rows.sawUpTo({ ...streamOf(event), component: decision.component }, decision.basisVersion);
    }
    for (const event of events) this.#act(event, wakesOf(event, watches, askers.get(event.causationId ?? "")));
    return { events: events.length, more: events.length === limits.readPageMax, broken: [] };
  }

  /** The controllers that asked for the effects that these events tell of, by ask. */
  async #askersOf(tenantId: TenantId, events: readonly EventRow[]): Promise<ReadonlyMap<string, string>> {
    const tellers = events.filter(({ decision }) => isNewsOfEffect(decision?.component));
    const ids = [...new Set(tellers.flatMap(({ causationId }) => causationId ?? []))];
    const asks = ids.length === 0 ? [] : await this.#options.reader().readByIds(tenantId, ids);
    return new Map(
      asks.flatMap((ask): [string, string][] => {
        const asked = readAsk(ask, JSON.parse(ask.specText) as JsonObject); // the store takes objects only
        return asked === undefined ? [] : [[ask.id, asked.controller]];
      }),
    );
  }

  #act(event: EventRow, wakes: readonly string[]): void {
    if (event.aggregateType === "dead-letter") this.#decideDeadLetter(event);
    for (const asker of this.#lookups.askersOf(event)) this.#fire(asker);
    if (event.lifecycle === "deleted") this.#rows.deleteStream(event);
    if (event.lifecycle === "deleted") this.#lookups.deleteStream(event);
    const opened = isSpecBearing(event) ? event.generation : 0;
    for (const component of wakes) {
      this.#rows.wake({ ...streamOf(event), component }, { version: event.version, opened, nowUs: this.#nowUs() });
    }
  }

  /** Something that the row's decision looked at has moved. */
  #fire(asker: WorkKey): void {
    const row = this.#rows.get(asker);
    if (row === undefined) return;
    if (row.leaseToken !== null) this.#lookups.moved(asker);
    else if (row.state === "idle" || (row.state === "ready" && row.attempts === 0))
      this.#rows.revive(row, this.#nowUs());
  }

  async lookedUp(claim: WorkClaim, seen: readonly LookedUp[]): Promise<boolean> {
    const reader = this.#options.reader();
    const later = await Promise.all(
      seen.map(({ version, ...stream }) =>
        reader.readStream(claim.tenantId, stream, { afterVersion: version, limit: 1 }),
      ),
    );
    if (this.#held(claim) === undefined) return false;
    this.#lookups.note(
      claim,
      seen,
      later.some(({ length }) => length > 0),
    );
    return true;
  }

  #decideDeadLetter(event: EventRow): void {
    const { aggregateType, aggregateId, component, delayMs } = JSON.parse(event.specText) as JsonObject; // a fact of the edge's own
    const row = this.#rows.get({ tenantId: event.tenantId, aggregateType, aggregateId, component } as WorkKey);
    if (row?.state !== "dead") return;
    const isRedriven = event.type === "dead-letter.redriven";
    const dueAtUs = this.#nowUs() + (typeof delayMs === "number" ? delayMs : 0) * 1000;
    this.#rows.revive(row, isRedriven ? dueAtUs : null);
    if (isRedriven && this.#rows.hasBlocker(row)) row.state = "blocked";
  }

  async tenantsWithEffects(after: string, limit: number): Promise<readonly TenantId[]> {
    const tenants = [...this.#options.tenants()].filter((tenantId) => tenantId > after).sort();
    const heads = await Promise.all(tenants.map((tenantId) => this.#options.reader().head(tenantId)));
    const behind = heads.filter(
      ({ tenantId, position }) => position !== (this.#effectPlaces.get(tenantId)?.position ?? 0),
    );
    return behind.slice(0, limit).map(({ tenantId }) => tenantId);
  }

  async effectPlace(tenantId: TenantId): Promise<LogPlace | undefined> {
    return this.#effectPlaces.get(tenantId);
  }

  async dispatchEffects(
    tenantId: TenantId,
    news: { readonly from: number; readonly to: LogPlace; readonly changes: readonly EffectChange[] },
  ): Promise<boolean> {
    if ((this.#effectPlaces.get(tenantId)?.position ?? 0) !== news.from) return false;
    this.#effectPlaces.set(tenantId, news.to);
    const nowUs = this.#nowUs();
    for (const change of news.changes) applyEffectChange(this.#rows, tenantId, { ...change, nowUs });
    return true;
  }

  async claim(options: {
    readonly components: readonly string[];
    readonly limit: number;
    readonly leaseMs: number;
  }): Promise<readonly WorkClaim[]> {
    const nowUs = this.#nowUs();
    const due = this.#rows.due({ components: options.components, nowUs, after: this.#claimedLast });
    const picked = due.slice(0, options.limit);
    this.#claimedLast = picked.at(-1)?.tenantId ?? "";
    return picked.map((row) => this.#lease(row, nowUs + options.leaseMs * 1000));
  }

  #lease(row: WorkRow, untilUs: number): WorkClaim {
    const leaseToken = `lease-${++this.#leases}`;
    const isAbandoned = row.leaseToken !== null;
    this.#lookups.begin(row);
    row.leaseToken = leaseToken;
    row.dueAtUs = untilUs;
    row.attempts += 1;
    row.seen = Math.max(row.seen, row.woken);
    return { ...keyOf(row), leaseToken, attempt: row.attempts, isAbandoned };
  }

  async extend(claims: readonly WorkClaim[], leaseMs: number): Promise<readonly WorkClaim[]> {
    return claims.filter((claim) => {
      const row = this.#held(claim);
      if (row !== undefined) row.dueAtUs = this.#nowUs() + leaseMs * 1000;
      return row !== undefined;
    });
  }

  /** The lease hook of the memory store: false when the lease is lost. */
  settle(tenantId: TenantId, lease: WorkLease): boolean {
    const row = this.#held({ ...lease, tenantId });
    if (row === undefined) return false;
    // An append whose conditions hold was decided on all of the stream; a decision on an effect is in a stream of its own.
    const seen = row.aggregateType === effectRowType ? row.seen : row.woken;
    this.#close(row, { dueAfterMs: lease.dueAfterMs, seen });
    return true;
  }

  async finish(
    claim: WorkClaim,
    { dueAfterMs, seenVersion }: { readonly dueAfterMs: number | null; readonly seenVersion: number },
  ): Promise<boolean> {
    const row = this.#held(claim);
    if (row !== undefined) this.#close(row, { dueAfterMs, seen: seenVersion });
    return row !== undefined;
  }

  async finishTogether(ends: readonly WorkEnd[]): Promise<readonly WorkClaim[]> {
    return ends.flatMap(({ claim, isSettled, dueAfterMs, seenVersion }) => {
      const row = this.#held(claim) ?? (isSettled ? this.#rows.get(claim) : undefined);
      const isFree = row !== undefined && row.leaseToken === null && row.state !== "dead" && row.seen < seenVersion;
      if (row !== undefined && (row.leaseToken === claim.leaseToken || isFree)) {
        this.#close(row, { dueAfterMs, seen: seenVersion });
      } else if (!isSettled) return [];
      return [claim];
    });
  }

  #close(row: WorkRow, { dueAfterMs, seen }: { readonly dueAfterMs: number | null; readonly seen: number }): void {
    row.seen = Math.max(row.seen, seen);
    const due = dueAfterMs === null ? null : this.#nowUs() + dueAfterMs * 1000;
    const hasMoved = this.#lookups.end(row, row.leaseToken);
    // What was looked at may be older than what the row was claimed for.
    this.#rows.revive(row, row.woken > seen || hasMoved ? this.#nowUs() : due);
  }

  async release(claim: WorkClaim, { dueAfterMs }: { readonly dueAfterMs: number }): Promise<boolean> {
    const row = this.#held(claim);
    if (row === undefined) return false;
    row.leaseToken = null;
    row.attempts = Math.max(0, row.attempts - 1);
    row.dueAtUs = this.#nowUs() + dueAfterMs * 1000;
    return true;
  }

  async fail(
    claim: WorkClaim,
    failure: WorkFailure,
    { retryAfterMs, generation }: { readonly retryAfterMs: number | null; readonly generation: number | null },
  ): Promise<boolean> {
    const row = this.#held(claim);
    if (row === undefined) return false;
    row.leaseToken = null;
    row.failure = { ...failure, generation, codeVersion: this.#options.codeVersion ?? "" };
    if (row.aggregateType === effectRowType && row.woken > row.seen) {
      this.#rows.revive(row, this.#nowUs());
    } else if (row.wokenGeneration > (generation ?? Number.POSITIVE_INFINITY)) {
      row.attempts = 0;
      row.dueAtUs = this.#nowUs();
    } else if (retryAfterMs === null) {
      this.#rows.bury(row, this.#nowUs());
    } else {
      row.dueAtUs = this.#nowUs() + retryAfterMs * 1000;
    }
    return true;
  }

  async wake(key: WorkKey, { dueAfterMs }: { readonly dueAfterMs: number }): Promise<void> {
    this.#rows.wakeBy(keyOf(key), this.#nowUs() + dueAfterMs * 1000);
  }

  async forget(key: WorkKey): Promise<void> {
    if (this.#rows.get(key)?.leaseToken === null) this.#rows.delete(key);
  }

  async changesPlace(): Promise<LogPlace | undefined> {
    return this.#changesPlace;
  }

  async moveChanges(from: number, to: LogPlace): Promise<boolean> {
    if ((this.#changesPlace?.position ?? 0) !== from) return false;
    this.#changesPlace = to;
    return true;
  }

  async controllerRows(tenantId: TenantId): Promise<readonly ControllerRows[]> {
    return controllerRows(this.#rows.reconciles(tenantId), this.#nowUs());
  }

  async nextDueMs(components: readonly string[]): Promise<number | null> {
    const next = this.#rows.nextDueUs(components);
    return next === null ? null : Math.max(0, (next - this.#nowUs()) / 1000);
  }

  async unattended(
    components: readonly string[],
    { dueForMs }: { readonly dueForMs: number },
  ): Promise<readonly UnattendedRows[]> {
    return unattendedRows(this.#rows.ready(), { components, nowUs: this.#nowUs(), dueForMs });
  }

  async backlog(components: readonly string[]): Promise<WorkBacklog> {
    const nowUs = this.#nowUs();
    const due = this.#rows.due({ components, nowUs, after: "" });
    const oldestUs = due.reduce((oldest, row) => Math.min(oldest, row.dueAtUs), nowUs);
    return { rows: due.length, oldestSeconds: (nowUs - oldestUs) / 1_000_000 };
  }

  async standing(): Promise<readonly StandingWork[]> {
    return standing(this.#rows.standing());
  }

  async effects(tenantId: TenantId): Promise<readonly EffectRow[]> {
    return shownEffects(this.#rows, tenantId, this.#nowUs()).slice(0, limits.readPageMax);
  }

  async effect(tenantId: TenantId, askId: string): Promise<EffectRow | undefined> {
    return shownEffects(this.#rows, tenantId, this.#nowUs()).find((row) => row.askId === askId);
  }

  async deadLetters(
    tenantId: TenantId,
    filter: DeadLetterFilter = {},
    { limit = limits.readPageMax }: { readonly limit?: number } = {},
  ): Promise<readonly DeadLetter[]> {
    const meant = this.#rows.dead(tenantId).filter((row) => isMeant(row, filter));
    const newestFirst = meant.sort((a, b) => b.deadSinceUs - a.deadSinceUs || b.position - a.position);
    return newestFirst.slice(0, limit).map((row) => shownLetter(this.#rows, row));
  }

  async deadLetter(tenantId: TenantId, id: string): Promise<DeadLetter | undefined> {
    return this.#rows
      .dead(tenantId)
      .map((row) => shownLetter(this.#rows, row))
      .find((letter) => letter.id === id);
  }

  async deadLetterGroups(tenantId: TenantId, filter: DeadLetterFilter = {}): Promise<readonly DeadLetterGroup[]> {
    return groupsOf(await this.deadLetters(tenantId, filter, { limit: Number.MAX_SAFE_INTEGER }));
  }

  #held(claim: WorkKey & { readonly leaseToken: string }): WorkRow | undefined {
    const row = this.#rows.get(claim);
    return row?.leaseToken === claim.leaseToken ? row : undefined;
  }

  #nowUs(): number {
    return this.#options.clock.nowUs();
  }
}

function isNewsOfEffect(component: string | undefined): boolean {
  const role = component === undefined ? undefined : effectRoleOf(component);
  return role === "result" || role === "unknown";
}

function streamOf(event: Omit<WorkKey, "component">): Omit<WorkKey, "component"> {
  return { tenantId: event.tenantId, aggregateType: event.aggregateType, aggregateId: event.aggregateId };
}

function keyOf({ tenantId, aggregateType, aggregateId, component }: WorkKey): WorkKey {
  return { tenantId, aggregateType, aggregateId, component };
}
