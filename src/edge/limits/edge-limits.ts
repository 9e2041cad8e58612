/**
 * The limits of tenants and their principals, in front of everything that a request costs (DESIGN §13.6).
 *
 * Who asks is charged, not who is asked about: an operator can always raise the quota of a tenant that is at its limits.
 */
import { type Clock, type ErrorCode, isEventplaneError, type TenantId, uuid8 } from "../../kernel/index.js";
import type { Allowances, Holdings, QuotaDefaults, Rate, TenantLimits } from "../../quota/index.js";
import { tenantLimits } from "../../quota/index.js";
import type { QuotaBook, QuotaEntry } from "../platform/quota-book.js";
import type { Principal } from "../principal.js";
import { DayLimit } from "./day-limit.js";
import { type LimitHolder, type LimitName, limitError } from "./limit-error.js";
import { RateLimit } from "./rate-limit.js";
import { fieldsOf, type RateLimitFields } from "./rate-limit-fields.js";
import type { StreamLimit } from "./stream-limit.js";
import { takeAll } from "./take-all.js";

/** What the limits need. */
export interface EdgeLimitsDependencies {
  readonly allowances: Allowances;
  readonly streams: StreamLimit;
  /** Open subscriptions. */
  readonly connections: Holdings;
  readonly quotas: Pick<QuotaBook, "of">;
  readonly defaults: QuotaDefaults;
  readonly clock: Clock;
  /** Hears of every refusal, by the code of the limit. */
  readonly onReached: (code: ErrorCode) => void;
}

/** What is published with one request. */
export interface PublishCost {
  readonly events: number;
  /** Of their specs. */
  readonly bytes: number;
  /** That are made. */
  readonly streams: number;
}

const tendMs = 1_000;
/** Who asked for nothing for so long is forgotten. */
const forgetAfterMs = 60_000;
/** Principals that are remembered; further ones have their tenant's limits only, until others are forgotten. */
const principalsMax = 10_000;
/** So many of each tenant are remembered all the same: no tenant takes the limits of another's principals away. */
const principalsOfTenantMin = 100;

const requestsName = (of: LimitHolder): LimitName => ({
  code: "requests_limited",
  of,
  member: of === "tenant" ? "requestsPerSecond" : "principalRequestsPerSecond",
  policy: of === "tenant" ? "requests" : "principal-requests",
});
const connectionsName: LimitName = {
  code: "connections_limited",
  of: "tenant",
  member: "connections",
  policy: "connections",
};
const eventsName = (of: LimitHolder): LimitName => ({
  code: "events_limited",
  of,
  member: of === "tenant" ? "eventsPerSecond" : "principalEventsPerSecond",
  policy: of === "tenant" ? "events" : "principal-events",
});

/** What a principal is charged to: limits of its own, if it has some, then its tenant's. */
interface Charged {
  readonly requests: readonly RateLimit[];
  readonly events: readonly RateLimit[];
  /** Those of them that are nobody else's. */
  readonly own: readonly RateLimit[];
}

interface TenantEntry {
  quota: QuotaEntry;
  limits: TenantLimits;
  readonly own: { readonly requests: RateLimit; readonly events: RateLimit; readonly bytes: DayLimit };
  /** For principals without limits of their own. */
  readonly charged: Charged;
  readonly principals: Map<string, Charged>;
}

/** The limits, as this edge keeps them. */
export class EdgeLimits {
  readonly #dependencies: EdgeLimitsDependencies;
  readonly #tenants = new Map<TenantId, TenantEntry>();
  #principals = 0;

  constructor(dependencies: EdgeLimitsDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Counts a request.
   *
   * @returns undefined when it may go on; else a promise that is fulfilled when it may
   * @throws EventplaneError from the call or its promise: `requests_limited`; `busy`, `unavailable` when nobody can say
   */
  admit(principal: Principal): Promise<void> | undefined {
    return this.#noting(() => takeAll(this.#chargedOf(principal).requests, 1));
  }

  /**
   * Counts what is published.
   *
   * @returns as `admit`
   * @throws EventplaneError from the call or its promise: `events_limited`, `bytes_limited`, `streams_limited`; `busy`, `unavailable` when nobody can say
   */
  charge(principal: Principal, { events, bytes, streams }: PublishCost): Promise<void> | undefined {
    const { tenantId } = principal;
    return this.#noting(() => {
      const counted = takeAll(this.#chargedOf(principal).events, events);
      const { own, limits } = this.#tenantOf(tenantId);
      const store = (): Promise<void> | undefined => own.bytes.take(bytes);
      const stored = counted === undefined ? store() : counted.then(store);
      if (streams === 0 || limits.streams === undefined) return stored;
      return this.#makeStreams(tenantId, { stored, bytes, streams, limit: limits.streams });
    });
  }

  /**
   * Counts a subscription until the function that it gives is called.
   *
   * @throws EventplaneError `connections_limited`; `unavailable` when nobody can say how many there are
   */
  async connect({ tenantId }: Pick<Principal, "tenantId">): Promise<() => void> {
    const { connections, onReached } = this.#dependencies;
    const { connections: limit } = this.#tenantOf(tenantId).limits;
    if (await connections.take(tenantId, limit)) return () => connections.release(tenantId);
    onReached(connectionsName.code);
    // Somebody may leave at any time.
    throw limitError({ ...connectionsName, quota: limit, waitMs: 1_000 });
  }

  /** Takes back what was counted and not stored. */
  giveBack({ tenantId }: Principal, { bytes, streams }: Omit<PublishCost, "events">): void {
    if (bytes > 0) this.#tenantOf(tenantId).own.bytes.putBack(bytes);
    if (streams > 0) this.#dependencies.streams.putBack(tenantId, streams);
  }

  /** What a client is told of its limits with every answer. */
  fields(principal: Principal): RateLimitFields {
    const { requests } = this.#chargedOf(principal);
    return fieldsOf(
      requests.map(({ policyText }) => policyText),
      requests.map(({ stateText }) => stateText),
    );
  }

  /** Gives back what idle holders have, and forgets those that stay idle, until `signal` aborts. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, allowances, connections } = this.#dependencies;
    const others = Promise.all([allowances.run(signal), connections.run(signal)]);
    while (!signal.aborted) {
      await clock.sleep(tendMs, signal).catch(() => undefined);
      if (!signal.aborted) this.tend();
    }
    await others;
  }

  /** Looks after all holders once. */
  tend(): void {
    const before = this.#dependencies.clock.monotonicMs() - forgetAfterMs;
    for (const [tenantId, entry] of this.#tenants) {
      for (const [id, charged] of entry.principals) if (isForgotten(charged, before)) this.#forget(entry, id);
      const isIdle = isForgotten(entry.charged, before);
      entry.own.bytes.rest();
      if (isIdle && entry.principals.size === 0 && entry.own.bytes.isAtRest) this.#tenants.delete(tenantId);
    }
  }

  /** Gives back everything, and waits until the others have it. */
  async close(): Promise<void> {
    for (const { own, principals } of this.#tenants.values()) {
      for (const charged of principals.values()) for (const each of charged.own) each.end();
      for (const each of [own.requests, own.events, own.bytes]) each.end();
    }
    await this.#dependencies.allowances.settled();
  }

  async #makeStreams(
    tenantId: TenantId,
    {
      stored,
      bytes,
      streams,
      limit,
    }: Omit<PublishCost, "events"> & {
      readonly stored: Promise<void> | undefined;
      readonly limit: number;
    },
  ): Promise<void> {
    await stored;
    try {
      await this.#dependencies.streams.take(tenantId, streams, limit);
    } catch (error) {
      this.#tenantOf(tenantId).own.bytes.putBack(bytes);
      throw error;
    }
  }

  #noting(take: () => Promise<void> | undefined): Promise<void> | undefined {
    const note = (error: unknown): never => {
      if (isEventplaneError(error) && error.code.endsWith("_limited")) this.#dependencies.onReached(error.code);
      throw error;
    };
    try {
      return take()?.catch(note);
    } catch (error) {
      return note(error);
    }
  }

  #chargedOf({ tenantId, id }: Principal): Charged {
    const entry = this.#tenantOf(tenantId);
    const { limits } = entry;
    // Without limits of their own, principals cost nothing.
    if (limits.principalRequests === limits.requests && limits.principalEvents === limits.events) return entry.charged;
    return entry.principals.get(id) ?? this.#addPrincipal(entry, { tenantId, id });
  }

  #addPrincipal(entry: TenantEntry, { tenantId, id }: Pick<Principal, "tenantId" | "id">): Charged {
    if (this.#principals >= principalsMax && entry.principals.size >= principalsOfTenantMin) return entry.charged;
    const { limits, own } = entry;
    const { allowances } = this.#dependencies;
    const holder = uuid8(tenantId, "limits", id);
    const ownOf = (rate: Rate, what: "requests" | "events"): readonly RateLimit[] => {
      if (rate === limits[what]) return [];
      const name = what === "requests" ? requestsName("principal") : eventsName("principal");
      return [new RateLimit(allowances, tenantId, { rate, name, allowance: `${what} ${holder}` })];
    };
    const [requests, events] = [ownOf(limits.principalRequests, "requests"), ownOf(limits.principalEvents, "events")];
    const charged = {
      requests: [...requests, own.requests],
      events: [...events, own.events],
      own: [...requests, ...events],
    };
    entry.principals.set(id, charged);
    this.#principals++;
    return charged;
  }

  #forget(entry: TenantEntry, principalId: string): void {
    if (entry.principals.delete(principalId)) this.#principals--;
  }

  #tenantOf(tenantId: TenantId): TenantEntry {
    const quota = this.#dependencies.quotas.of(tenantId);
    const known = this.#tenants.get(tenantId);
    if (known?.quota === quota) return known;
    const limits = tenantLimits(quota.spec, this.#dependencies.defaults);
    if (known === undefined) return this.#addTenant(tenantId, quota, limits);
    this.#change(known, quota, limits);
    return known;
  }

  #addTenant(tenantId: TenantId, quota: QuotaEntry, limits: TenantLimits): TenantEntry {
    const { allowances, clock } = this.#dependencies;
    const requests = new RateLimit(allowances, tenantId, {
      rate: limits.requests,
      name: requestsName("tenant"),
      allowance: "requests",
    });
    const events = new RateLimit(allowances, tenantId, {
      rate: limits.events,
      name: eventsName("tenant"),
      allowance: "events",
    });
    const bytes = new DayLimit({ allowances, clock, tenantId }, limits.bytesPerDay);
    const own = { requests, events, bytes };
    const charged = { requests: [requests], events: [events], own: [requests, events] };
    const entry = { quota, limits, own, charged, principals: new Map() };
    this.#tenants.set(tenantId, entry);
    return entry;
  }

  #change(entry: TenantEntry, quota: QuotaEntry, limits: TenantLimits): void {
    entry.quota = quota;
    entry.limits = limits;
    entry.own.requests.change(limits.requests);
    entry.own.events.change(limits.events);
    entry.own.bytes.change(limits.bytesPerDay);
    // Those of principals are made anew when they ask again.
    for (const [id, { own }] of entry.principals) {
      for (const each of own) each.end();
      this.#forget(entry, id);
    }
  }
}

/** Gives back what it holds of its own when it is idle. @returns whether it has been idle since then, and holds nothing */
function isForgotten({ own }: Charged, before: number): boolean {
  for (const each of own) each.rest();
  return own.every((each) => each.usedAtMs < before && each.isAtRest);
}
