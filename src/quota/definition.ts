/**
 * The quota of a tenant as a resource of the platform: what an operator set, as its intents say and its fold holds.
 *
 * What is not set is the default of the platform. There is always a limit; a very large one is as good as none.
 */
import type { AggregateDefinition } from "../event/index.js";
import type { JsonObject } from "../kernel/index.js";

/** The aggregate type; its stream is `quota/<tenant id>`. */
export const quotaAggregate = "quota";
/** The type of the intent that sets all of a quota anew. */
export const quotaSetType = "quota.set";

/** Every member of a quota with the most that it may be; the least is 1. */
const quotaMembers = {
  /** Requests of all its principals together, and at once. */
  requestsPerSecond: { max: 1_000_000 },
  requestsBurst: { max: 10_000_000 },
  /** Events that they publish, and in one moment. */
  eventsPerSecond: { max: 1_000_000 },
  eventsBurst: { max: 10_000_000 },
  /** Of each of its principals. */
  principalRequestsPerSecond: { max: 1_000_000 },
  principalRequestsBurst: { max: 10_000_000 },
  principalEventsPerSecond: { max: 1_000_000 },
  principalEventsBurst: { max: 10_000_000 },
  /** Bytes of specs that are stored in one day, UTC. */
  bytesPerDay: { max: 1_000_000_000_000_000 },
  /** Subscriptions that are open at once. */
  connections: { max: 1_000_000 },
  /** Streams that it has. Not limited unless it is set: counting them costs more the more there are. */
  streams: { max: 1_000_000 },
} as const;

/** A member of a quota. */
export type QuotaMember = keyof typeof quotaMembers;
/** What an operator set for a tenant; whole numbers from 1. */
export type QuotaSpec = Readonly<Partial<Record<QuotaMember, number>>>;

/** The names of the members, in the order of the table. */
export const quotaMemberNames = Object.keys(quotaMembers) as readonly QuotaMember[]; // of a const table

const specSchema: JsonObject = {
  type: "object",
  additionalProperties: false,
  properties: Object.fromEntries(
    Object.entries(quotaMembers).map(([name, { max }]) => [name, { type: "integer", minimum: 1, maximum: max }]),
  ),
};

/** What may be asked of a quota. */
export const quotaDefinition: AggregateDefinition = {
  name: quotaAggregate,
  specSchema,
  statusSchemas: {},
  intents: new Map([
    [
      quotaSetType,
      {
        type: quotaSetType,
        effect: "updates",
        fold: "replace",
        schemaVersion: 1,
        schema: specSchema,
        defaultExpectedVersion: "any",
      },
    ],
  ]),
};
