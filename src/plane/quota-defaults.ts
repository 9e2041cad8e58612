/** What tenants may do whose quota does not say otherwise, as the process is configured. */
import type { QuotaDefaults } from "../quota/index.js";
import type { Config } from "./config.js";

/** The defaults of the settings `limits.*`. */
export function quotaDefaultsOf(config: Config): Partial<QuotaDefaults> {
  return {
    requestsPerSecond: config.integer("limits.requests-per-second"),
    eventsPerSecond: config.integer("limits.events-per-second"),
    principalRequestsPerSecond: config.optionalInteger("limits.principal-requests-per-second"),
    principalEventsPerSecond: config.optionalInteger("limits.principal-events-per-second"),
    connections: config.integer("limits.connections"),
    bytesPerDay: config.integer("limits.bytes-per-day"),
  };
}
