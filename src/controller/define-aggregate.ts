/**
 * `defineAggregate`: the wanted state, declared once; schemas, types and intent makers follow.
 */
import {
  type AggregateDefinition,
  type CompatibilityMode,
  compatibilityDefault,
  compatibilityModes,
  deepFreeze,
  type IntentDefinition,
  isAggregateType,
  isCompatibilityMode,
  isEventType,
  type Resource,
  reservedTails,
  typeTail,
  type Upcaster,
} from "../event/index.js";
import { EventplaneError, type JsonObject, limits } from "../kernel/index.js";
import {
  type Infer,
  isSecretRule,
  patchSchema,
  readSchema,
  type SchemaSource,
  type SecretRule,
  secretRuleNames,
} from "../schema/index.js";
import type { Aggregate, IntentConfig, IntentMaker, MakerName, StatusTypes } from "./aggregate-types.js";

/** What a team writes of an aggregate. */
export interface AggregateConfig<
  Spec extends SchemaSource,
  Status extends Readonly<Record<string, SchemaSource>>,
  Intents extends Readonly<Record<string, IntentConfig>>,
> {
  /** The wanted state. */
  readonly spec: Spec;
  /** What each controller reports, by controller name. */
  readonly status?: Status;
  /** What may be asked, by the rest of the type: `"change-plan"` is `organization.change-plan`. */
  readonly intents: Intents;
  /** Bytes of an intent's spec as it is sent, from 2 to 262,144, where the intent says nothing else. Default: what an event may have. */
  readonly specBytesMax?: number;
  /** Of the schemas of all intents that say nothing else; raised with every change of one. Default 1. */
  readonly schemaVersion?: number;
  /**
   * What a new version of a schema must be able to do, where the intent says nothing else: `backward` (take what was written by
   * the version before), `forward` (be taken by it), `full` (both), each also with `_transitive` (all versions before), or `none`.
   * Default `backward`.
   */
  readonly compatibility?: CompatibilityMode;
  /** Refuses an intent at the edge with a reason, or returns undefined. Pure. */
  readonly guard?: (
    resource: Resource<Infer<Spec>, Partial<StatusTypes<Status>>> | undefined,
    intent: { readonly type: string; readonly spec: JsonObject },
  ) => string | undefined;
}

/** The store keeps it in 32 bits. */
const schemaVersionMax = 2_147_483_647;
const emptyObjectSchema: JsonObject = { type: "object", properties: {}, additionalProperties: false };

/**
 * Declares an aggregate.
 *
 * An intent that `creates` has the aggregate's spec as its schema unless it gives one; one that `deletes` has an empty
 * spec; others take the aggregate's spec with nothing required, since they are merge patches (RFC 7396). Schemas are
 * closed: objects that say nothing of further members allow none.
 *
 * @example
 * const organization = defineAggregate("organization", {
 *   spec: z.object({ name: z.string(), plan: z.enum(["free", "team"]) }),
 *   status: { quota: z.object({ members: z.int() }) },
 *   intents: { create: { creates: true }, "change-plan": { schema: z.object({ plan: Plan }) }, delete: { deletes: true } },
 * });
 * organization.changePlan(id, { plan: "team" }) // an intent, ready to publish
 * @throws EventplaneError `config_invalid`
 */
export function defineAggregate<
  const Name extends string,
  const Spec extends SchemaSource,
  const Intents extends Readonly<Record<string, IntentConfig>>,
  const Status extends Readonly<Record<string, SchemaSource>> = Readonly<Record<never, never>>,
>(name: Name, config: AggregateConfig<Spec, Status, Intents>): Aggregate<Name, Spec, Status, Intents> {
  if (!isAggregateType(name)) {
    throw new EventplaneError(
      "config_invalid",
      `"${name}" cannot name an aggregate: use a-z, 0-9, _ and -, at most 64, a letter first.`,
    );
  }
  const specSchema = readSchema(config.spec, name, "encrypts");
  const intents = Object.entries(config.intents).map(([rest, intent]) =>
    readIntent(`${name}.${rest}`, withDefaults(intent, config), specSchema),
  );
  const definition: AggregateDefinition = {
    name,
    specSchema: deepFreeze(specSchema),
    statusSchemas: deepFreeze(
      Object.fromEntries(
        Object.entries(config.status ?? {}).map(([controller, schema]) => [
          controller,
          readSchema(schema, `status ${controller} of ${name}`, "holds"),
        ]),
      ),
    ),
    intents: new Map(intents.map((intent) => [intent.type, intent])),
    // The guard sees the folded resource, whose spec and status are what these schemas let in.
    ...(config.guard === undefined
      ? {}
      : { guard: config.guard as unknown as NonNullable<AggregateDefinition["guard"]> }),
  };
  const makers = intents.map((intent): [string, IntentMaker] => [makerName(intent.type, name), makerOf(intent)]);
  checkMakers(name, makers);
  // The makers are exactly those that the type says: one for each intent, under its camelCase name.
  return Object.freeze({ definition, ...Object.fromEntries(makers) }) as unknown as Aggregate<
    Name,
    Spec,
    Status,
    Intents
  >;
}

function readIntent(type: string, config: IntentConfig, specSchema: JsonObject): IntentDefinition {
  if (!isEventType(type))
    throw new EventplaneError("config_invalid", `"${type}" cannot be a type: dotted tokens of a-z, 0-9, _ and -.`);
  if (reservedTails.includes(typeTail(type))) {
    throw new EventplaneError(
      "config_invalid",
      `${type} is a type that only the runtime makes; name the intent otherwise.`,
    );
  }
  const effect = config.creates === true ? "creates" : config.deletes === true ? "deletes" : "updates";
  if (config.creates === true && config.deletes === true) {
    throw new EventplaneError("config_invalid", `${type} cannot both create and delete.`);
  }
  const fold = config.fold ?? (config.replaces === true ? "replace" : "merge");
  const schemaVersion = config.schemaVersion ?? 1;
  if (!Number.isSafeInteger(schemaVersion) || schemaVersion < 1 || schemaVersion > schemaVersionMax) {
    throw new EventplaneError(
      "config_invalid",
      `The schemaVersion of ${type} must be a whole number from 1 to ${schemaVersionMax}.`,
    );
  }
  return Object.freeze({
    type,
    effect,
    fold,
    schemaVersion,
    schema: deepFreeze(intentSchema(type, config, { effect, fold, specSchema })),
    ...checkedUpcasters(type, schemaVersion, config.upcasters ?? {}),
    compatibility: checkedMode(type, config.compatibility ?? compatibilityDefault),
    ...(config.specBytesMax === undefined ? {} : { specBytesMax: checkedBudget(type, config.specBytesMax) }),
    allowSecrets: allowedSecrets(type, config.allowSecrets ?? []),
    defaultExpectedVersion: effect === "creates" ? "creates" : (config.expectedVersion ?? "streamExists"),
  });
}

type SharedConfig = Pick<IntentConfig, "specBytesMax" | "schemaVersion" | "compatibility">;

function withDefaults(
  intent: IntentConfig,
  { specBytesMax, schemaVersion, compatibility }: SharedConfig,
): IntentConfig {
  return {
    ...(specBytesMax === undefined ? {} : { specBytesMax }),
    ...(schemaVersion === undefined ? {} : { schemaVersion }),
    ...(compatibility === undefined ? {} : { compatibility }),
    ...intent,
  };
}

function checkedMode(type: string, mode: CompatibilityMode): CompatibilityMode {
  if (isCompatibilityMode(mode)) return mode;
  throw new EventplaneError(
    "config_invalid",
    `The compatibility of ${type} must be one of ${compatibilityModes.join(", ")}.`,
  );
}

/** A step that is missing is found here and not by whoever reads an old event. */
function checkedUpcasters(
  type: string,
  schemaVersion: number,
  given: Readonly<Record<number, Upcaster>>,
): Pick<IntentDefinition, "upcasters"> {
  const upcasters = new Map(Object.entries(given).map(([from, upcast]) => [Number(from), upcast]));
  if (upcasters.size === 0) return {};
  const first = Math.min(...upcasters.keys());
  for (let from = first; from < schemaVersion; from++)
    if (typeof upcasters.get(from) !== "function")
      throw new EventplaneError("config_invalid", `${type} has no upcaster from version ${from} to ${from + 1}.`);
  const isOver = !(first >= 1) || upcasters.size !== schemaVersion - first;
  if (!isOver) return { upcasters };
  throw new EventplaneError(
    "config_invalid",
    `The upcasters of ${type} begin at versions from 1 to ${schemaVersion - 1}, the one before its schemaVersion.`,
  );
}

function checkedBudget(type: string, bytes: number): number {
  if (Number.isSafeInteger(bytes) && bytes >= 2 && bytes <= limits.eventBytesMax) return bytes;
  throw new EventplaneError(
    "config_invalid",
    `The specBytesMax of ${type} must be a whole number from 2 to ${limits.eventBytesMax}.`,
  );
}

function allowedSecrets(type: string, names: readonly string[]): readonly SecretRule[] {
  const unknown = names.find((name) => !isSecretRule(name));
  if (unknown === undefined) return Object.freeze(names.filter(isSecretRule));
  throw new EventplaneError(
    "config_invalid",
    `allowSecrets of ${type} names no rule with "${unknown}"; the rules are ${secretRuleNames.join(", ")}.`,
  );
}

function intentSchema(
  type: string,
  config: IntentConfig,
  intent: Pick<IntentDefinition, "effect" | "fold"> & { readonly specSchema: JsonObject },
): JsonObject {
  if (config.schema !== undefined) return readSchema(config.schema, type, "encrypts");
  if (intent.effect === "deletes") return emptyObjectSchema;
  if (typeof intent.fold === "function") {
    throw new EventplaneError(
      "config_invalid",
      `${type} folds in its own way, so it must give the schema of its spec.`,
    );
  }
  return intent.effect === "creates" || intent.fold === "replace" ? intent.specSchema : patchSchema(intent.specSchema);
}

/** `organization.change-plan` → `changePlan`. */
function makerName(type: string, aggregate: string): string {
  return type
    .slice(aggregate.length + 1)
    .replace(/[-_.]+(.)?/g, (_, next: string | undefined) => (next ?? "").toUpperCase());
}

function checkMakers(aggregate: string, makers: readonly (readonly [string, IntentMaker])[]): void {
  const seen = new Set<string>(["definition"] satisfies MakerName[]);
  for (const [name] of makers) {
    if (seen.has(name)) {
      throw new EventplaneError(
        "config_invalid",
        `Two intents of ${aggregate} would both be called ${aggregate}.${name}(); rename one.`,
      );
    }
    seen.add(name);
  }
}

function makerOf(intent: IntentDefinition): IntentMaker {
  const { type } = intent;
  if (intent.effect === "creates") return (spec: JsonObject, envelope?: object) => ({ ...envelope, type, spec });
  if (intent.effect === "deletes")
    return (aggregateId: string, envelope?: object) => ({ ...envelope, type, aggregateId, spec: {} });
  return (aggregateId: string, spec: JsonObject, envelope?: object) => ({ ...envelope, type, aggregateId, spec });
}
