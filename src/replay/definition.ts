/**
 * A replay as a resource of the platform: what is wanted of it, as its intents say and its fold holds.
 *
 * It names one consumer. Nobody else is given anything, and nothing is published.
 */
import { type AggregateDefinition, type IntentDefinition, replayerComponent } from "../event/index.js";
import { EventplaneError, type JsonObject, type TenantId } from "../kernel/index.js";

/** The aggregate type. */
export const replayAggregate = "replay";

/** The one consumer that history is given to. */
export interface ReplayTargetName {
  readonly kind: "controller";
  readonly name: string;
}

/** Which events are meant; every member narrows. */
export interface ReplayFilter {
  readonly aggregateType?: string;
  /** Of one type; at most 100. */
  readonly aggregateIds?: readonly string[];
  /** Exact; at most 20. */
  readonly types?: readonly string[];
  readonly correlationId?: string;
  /** Positions greater than this. */
  readonly after?: number;
  /** Recorded then or later, and before then; RFC 3339. */
  readonly recordedFrom?: string;
  readonly recordedBefore?: string;
}

/** What an administrator may change of a replay that goes on. */
export type ReplayWanted = "running" | "paused" | "cancelled";

/** What is wanted. */
export interface ReplaySpec {
  readonly tenantId: TenantId;
  readonly target: ReplayTargetName;
  readonly filter: ReplayFilter;
  /** The last position: the end of the log when the replay was made, or before. */
  readonly until: number;
  /** Events of the filter that are given in a second. */
  readonly ratePerSecond: number;
  /** Says what would come of it; nothing is added. */
  readonly dryRun: boolean;
  /** Whether the consumer may make calls outside that it has not made before. */
  readonly allowEffects: boolean;
  readonly wanted: ReplayWanted;
}

/** Bounds of what a replay may be. */
export const replayLimits = {
  aggregateIdsMax: 100,
  typesMax: 20,
  ratePerSecondMin: 0.1,
  ratePerSecondMax: 10_000,
  ratePerSecondDefault: 100,
} as const;

const uuid = { type: "string", pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" };
const aggregateType = { type: "string", pattern: "^[a-z][a-z0-9_-]{0,63}$" };
const aggregateId = { type: "string", pattern: "^[A-Za-z0-9._:-]{1,128}$" };
const eventType = { type: "string", maxLength: 128, pattern: "^[a-z][a-z0-9_-]*(\\.[a-z0-9][a-z0-9_-]*){0,7}$" };
const position = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const time = { type: "string", format: "date-time" };
const { aggregateIdsMax, typesMax, ratePerSecondMin, ratePerSecondMax } = replayLimits;

const specSchema: JsonObject = {
  type: "object",
  additionalProperties: false,
  required: ["tenantId", "target", "filter", "until", "ratePerSecond", "dryRun", "allowEffects", "wanted"],
  properties: {
    tenantId: uuid,
    target: {
      type: "object",
      additionalProperties: false,
      required: ["kind", "name"],
      properties: { kind: { enum: ["controller"] }, name: { type: "string", minLength: 1, maxLength: 64 } },
    },
    filter: {
      type: "object",
      additionalProperties: false,
      properties: {
        aggregateType,
        aggregateIds: { type: "array", minItems: 1, maxItems: aggregateIdsMax, uniqueItems: true, items: aggregateId },
        types: { type: "array", minItems: 1, maxItems: typesMax, uniqueItems: true, items: eventType },
        correlationId: uuid,
        after: position,
        recordedFrom: time,
        recordedBefore: time,
      },
    },
    until: position,
    ratePerSecond: { type: "number", minimum: ratePerSecondMin, maximum: ratePerSecondMax },
    dryRun: { type: "boolean" },
    allowEffects: { type: "boolean" },
    wanted: { enum: ["running", "paused", "cancelled"] },
  },
};

function intent(name: string, wanted?: ReplayWanted): [string, IntentDefinition] {
  const type = `${replayAggregate}.${name}`;
  const isFirst = wanted === undefined;
  const properties = { wanted: { enum: [wanted ?? "running"] } };
  const schema = isFirst
    ? specSchema
    : { type: "object", additionalProperties: false, required: ["wanted"], properties };
  const effect = isFirst ? "creates" : "updates";
  const defaultExpectedVersion = isFirst ? "creates" : "streamExists";
  return [type, { type, effect, fold: "merge", schemaVersion: 1, schema, defaultExpectedVersion }];
}

/** Every intent asks the replayer to bring it about. */
export const replayDefinition: AggregateDefinition = {
  name: replayAggregate,
  specSchema,
  statusSchemas: {},
  completedBy: [replayerComponent],
  intents: new Map([
    intent("create"),
    intent("pause", "paused"),
    intent("resume", "running"),
    intent("cancel", "cancelled"),
  ]),
};

/** The spec of a fold of verified events, all of which were checked against the schema when they came. */
export function replaySpecOf({ spec }: { readonly spec: JsonObject }): ReplaySpec {
  if (typeof spec.tenantId !== "string" || typeof spec.until !== "number")
    throw new EventplaneError("event_corrupt", "A replay's events are not what their types say.");
  return spec as unknown as ReplaySpec;
}
