/** The limits of a tenant: what an operator set, and for the rest what the platform has for everybody. */
import type { QuotaSpec } from "./definition.js";

/** So many a second, and so many at once. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** All limits of a tenant. */
export interface TenantLimits {
  readonly requests: Rate;
  readonly events: Rate;
  /** Of each principal; never more than the tenant's. */
  readonly principalRequests: Rate;
  readonly principalEvents: Rate;
  readonly bytesPerDay: number;
  readonly connections: number;
  /** Undefined: as many as it likes. */
  readonly streams: number | undefined;
}

/** What everybody has whose quota does not say otherwise. */
export interface QuotaDefaults {
  readonly requestsPerSecond: number;
  readonly eventsPerSecond: number;
  /** Absent: the tenant's. */
  readonly principalRequestsPerSecond?: number | undefined;
  readonly principalEventsPerSecond?: number | undefined;
  readonly bytesPerDay: number;
  readonly connections: number;
}

/** The defaults of a platform that is not configured otherwise. */
export const quotaDefaults: QuotaDefaults = {
  requestsPerSecond: 10_000,
  eventsPerSecond: 50_000,
  bytesPerDay: 1_000_000_000_000,
  connections: 10_000,
};

/** A burst that nobody set is what comes in so many seconds. */
const burstSeconds = 2;

/** The limits that a quota makes. */
export function tenantLimits(quota: QuotaSpec, defaults: QuotaDefaults): TenantLimits {
  const requests = rate(quota.requestsPerSecond ?? defaults.requestsPerSecond, quota.requestsBurst);
  const events = rate(quota.eventsPerSecond ?? defaults.eventsPerSecond, quota.eventsBurst);
  const principalRequests = quota.principalRequestsPerSecond ?? defaults.principalRequestsPerSecond;
  const principalEvents = quota.principalEventsPerSecond ?? defaults.principalEventsPerSecond;
  return {
    requests,
    events,
    principalRequests: within(requests, principalRequests, quota.principalRequestsBurst),
    principalEvents: within(events, principalEvents, quota.principalEventsBurst),
    bytesPerDay: quota.bytesPerDay ?? defaults.bytesPerDay,
    connections: quota.connections ?? defaults.connections,
    streams: quota.streams,
  };
}

function rate(perSecond: number, burst: number | undefined): Rate {
  return { perSecond, burst: burst ?? perSecond * burstSeconds };
}

/** A principal's rate; absent and above the tenant's, it is the tenant's. */
function within(tenant: Rate, perSecond: number | undefined, burst: number | undefined): Rate {
  if (perSecond === undefined && burst === undefined) return tenant;
  const own = rate(perSecond ?? tenant.perSecond, burst);
  return {
    perSecond: Math.min(own.perSecond, tenant.perSecond),
    burst: Math.min(own.burst, tenant.burst),
  };
}
