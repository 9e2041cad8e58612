/**
 * Who goes into the next call: round-robin over tenants, each with a share of the call, oldest append of a tenant first.
 *
 * A tenant that is served, or whose call ends, goes to the end of the line; one that had no room stays where it was. So
 * the tenant that has waited longest for its turn is always the first, and a deep queue of one tenant delays the others
 * by its share of a call at most.
 */
import type { TenantId } from "../kernel/index.js";

/** What waits: one append, with what it adds to a call. */
export interface Queued {
  readonly tenantId: TenantId;
  readonly events: number;
  readonly bytes: number;
}

/** What one call may hold. */
export interface CallLimits {
  readonly tenants: number;
  readonly events: number;
  readonly bytes: number;
}

/** Waiting appends of all tenants. A tenant is taken once at a time: until `release`, nothing more of it is taken. */
export class CoalescerQueue<Entry extends Queued> {
  readonly #waiting: Map<TenantId, Entry[]> = new Map();
  /** Tenants with waiting entries and none taken, in the order of their turns. */
  readonly #line: Set<TenantId> = new Set();
  readonly #taken: Set<TenantId> = new Set();
  readonly #limits: CallLimits;
  #length = 0;
  #bytes = 0;

  constructor(limits: CallLimits) {
    this.#limits = limits;
  }

  /** Entries that wait, of all tenants. */
  get length(): number {
    return this.#length;
  }

  /** Bytes of the entries that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  add(entry: Entry): void {
    const own = this.#waiting.get(entry.tenantId);
    if (own === undefined) this.#waiting.set(entry.tenantId, [entry]);
    else own.push(entry);
    if (!this.#taken.has(entry.tenantId)) this.#line.add(entry.tenantId);
    this.#length += 1;
    this.#bytes += entry.bytes;
  }

  /** Takes one entry out before its turn. False when it does not wait any more. */
  remove(entry: Entry): boolean {
    const own = this.#waiting.get(entry.tenantId) ?? [];
    const index = own.indexOf(entry);
    if (index === -1) return false;
    own.splice(index, 1);
    this.#removed([entry], own);
    return true;
  }

  /** Takes every entry that waits, taken tenants included. */
  clear(): readonly Entry[] {
    const all = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    this.#line.clear();
    this.#length = 0;
    this.#bytes = 0;
    return all;
  }

  /** The entries of the next call, those of one tenant together and in their order; empty when nobody waits. */
  take(): readonly Entry[] {
    const tenants: TenantId[] = [];
    for (const tenantId of this.#line) {
      if (tenants.push(tenantId) === this.#limits.tenants) break;
    }
    const taken = this.#fill(tenants);
    for (const [tenantId, entries] of taken) {
      this.#taken.add(tenantId);
      this.#line.delete(tenantId);
      const own = this.#waiting.get(tenantId) ?? [];
      own.splice(0, entries.length);
      this.#removed(entries, own);
    }
    return [...taken.values()].flat();
  }

  /** The call of this tenant is over; what waits of it may be taken. */
  release(tenantId: TenantId): void {
    this.#taken.delete(tenantId);
    if (this.#waiting.has(tenantId)) this.#line.add(tenantId);
  }

  /** First everybody's share, then what is left in turns. The very first entry always fits, else it would wait for ever. */
  #fill(tenants: readonly TenantId[]): Map<TenantId, readonly Entry[]> {
    const plan = new CallPlan(this.#limits);
    const share = {
      events: Math.floor(this.#limits.events / tenants.length),
      bytes: Math.floor(this.#limits.bytes / tenants.length),
    };
    const counts = new Map<TenantId, number>();
    const next = (tenantId: TenantId): Entry | undefined => this.#waiting.get(tenantId)?.[counts.get(tenantId) ?? 0];
    for (const tenantId of tenants) {
      const own = new CallPlan(share);
      for (let entry = next(tenantId); entry !== undefined; entry = next(tenantId)) {
        if (!plan.isEmpty && !(own.fits(entry) && plan.fits(entry))) break;
        own.add(entry);
        plan.add(entry);
        counts.set(tenantId, (counts.get(tenantId) ?? 0) + 1);
      }
    }
    let open = tenants;
    while (open.length > 0) {
      open = open.filter((tenantId) => {
        const entry = next(tenantId);
        if (entry === undefined || !plan.fits(entry)) return false;
        plan.add(entry);
        counts.set(tenantId, (counts.get(tenantId) ?? 0) + 1);
        return true;
      });
    }
    return new Map(
      [...counts].map(([tenantId, count]) => [tenantId, (this.#waiting.get(tenantId) ?? []).slice(0, count)]),
    );
  }

  #removed(entries: readonly Entry[], left: readonly Entry[]): void {
    for (const { tenantId, bytes } of entries) {
      this.#length -= 1;
      this.#bytes -= bytes;
      if (left.length === 0) {
        this.#waiting.delete(tenantId);
        this.#line.delete(tenantId);
      }
    }
  }
}

/** How full a call, or a tenant's share of it, is. */
class CallPlan {
  readonly #limits: Pick<CallLimits, "events" | "bytes">;
  #events = 0;
  #bytes = 0;

  constructor(limits: Pick<CallLimits, "events" | "bytes">) {
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#events === 0;
  }

  fits(entry: Queued): boolean {
    return this.#events + entry.events <= this.#limits.events && this.#bytes + entry.bytes <= this.#limits.bytes;
  }

  add(entry: Queued): void {
    this.#events += entry.events;
    this.#bytes += entry.bytes;
  }
}
