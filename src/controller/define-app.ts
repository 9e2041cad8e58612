/**
 * `defineApp`: what the plane runs.
 */
import type {
  AggregateDefinition,
  AnyProjection,
  AnyWorker,
  AppDefinition,
  ControllerDefinition,
  IntakeDefinition,
  ProjectionDefinition,
  SourceDefinition,
  TokenIssuer,
  WorkerDefinition,
} from "../event/index.js";
import { EventplaneError, limits, sha256 } from "../kernel/index.js";
import type { AnyAggregate, MessageOf } from "./aggregate-types.js";
import { issuersOf } from "./issuers-of.js";

/** What a team writes of its application. */
export interface AppConfig<Aggregates extends readonly AnyAggregate[], Workers extends readonly AnyWorker[]> {
  readonly aggregates: Aggregates;
  readonly controllers?: readonly ControllerDefinition[];
  readonly workers?: Workers;
  /**
   * Of your code, so that a dead letter tells which one made it: a commit or a release, at most 64 of A-Z, a-z, 0-9, `.`,
   * `_`, `+` and `-`. By default a digest of the controllers and workers themselves; it does not see what they import.
   */
  readonly version?: string;
  readonly projections?: readonly AnyProjection[];
  /** Systems outside whose signed deliveries become facts: `defineSource`. */
  readonly sources?: readonly { readonly definition: SourceDefinition }[];
  /** Tables of applications' own databases that intents are taken from: `defineIntake`. */
  readonly intakes?: readonly { readonly definition: IntakeDefinition }[];
  /** Whose JSON Web Tokens the edge takes beside API keys. */
  readonly authentication?: { readonly issuers: readonly TokenIssuer[] };
}

/** An application that knows which intents it takes and which workers it asks. */
export interface App<Message = never, Workers = unknown> extends AppDefinition {
  /** For types only; never present at run time. */
  readonly "~types"?: { readonly message: Message; readonly workers: Workers };
}

const versionForm = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/;
const digestCharacters = 12;

/** Aggregate types of the platform's own log. */
const reservedAggregates: readonly string[] = [
  "tenant",
  "key",
  "key-use",
  "stream-token",
  "signing-key",
  "schema",
  "dead-letter",
  "effect",
  "replay",
  "controller",
  "refusal",
  "projection",
  "subject",
];

/**
 * Puts aggregates, controllers, workers, projections, sources and intakes together.
 *
 * @throws EventplaneError `config_invalid` for names that are taken or reserved, a version that is none, and for a controller that watches an
 * aggregate of another application
 */
export function defineApp<
  const Aggregates extends readonly AnyAggregate[],
  const Workers extends readonly AnyWorker[] = readonly [],
>(config: AppConfig<Aggregates, Workers>): App<MessageOf<Aggregates[number]>, Workers[number]> {
  const aggregates = new Map<string, AggregateDefinition>();
  for (const { definition } of config.aggregates) {
    if (definition.name.startsWith("x-"))
      throw invalid(
        `No aggregate may be called ${definition.name}: what begins with x- is of types that tenants register`,
      );
    if (reservedAggregates.includes(definition.name))
      throw invalid(`No aggregate may be called ${definition.name}; the platform uses the name itself`);
    if (aggregates.has(definition.name)) throw invalid(`Two aggregates are called ${definition.name}`);
    aggregates.set(definition.name, definition);
  }
  const controllers = new Map<string, ControllerDefinition>();
  for (const controller of config.controllers ?? []) {
    if (controllers.has(controller.name)) throw invalid(`Two controllers are called ${controller.name}`);
    checkDerivedTypes(controller, aggregates.get(controller.watches));
    controllers.set(controller.name, controller);
  }
  const workers = new Map<string, WorkerDefinition>();
  for (const { definition } of config.workers ?? []) {
    if (workers.has(definition.name)) throw invalid(`Two workers are called ${definition.name}`);
    workers.set(definition.name, definition);
  }
  const projections = new Map<string, ProjectionDefinition>();
  for (const { definition } of config.projections ?? []) {
    if (projections.has(definition.name)) throw invalid(`Two projections are called ${definition.name}`);
    projections.set(definition.name, definition);
  }
  const sources = new Map<string, SourceDefinition>();
  for (const { definition } of config.sources ?? []) {
    if (sources.has(definition.name)) throw invalid(`Two sources are called ${definition.name}`);
    sources.set(definition.name, definition);
  }
  const intakes = new Map<string, IntakeDefinition>();
  for (const { definition } of config.intakes ?? []) {
    if (intakes.has(definition.name)) throw invalid(`Two intakes are called ${definition.name}`);
    intakes.set(definition.name, definition);
  }
  const issuers = issuersOf(config.authentication?.issuers ?? []);
  const version = versionOf(config);
  return Object.freeze({ version, aggregates, controllers, workers, projections, sources, intakes, issuers });
}

function versionOf({
  version,
  controllers = [],
  workers = [],
}: AppConfig<readonly AnyAggregate[], readonly AnyWorker[]>): string {
  if (version === undefined) return codeDigest([controllers, workers.map(({ definition }) => definition)]);
  if (versionForm.test(version)) return version;
  throw invalid(
    `its version is a word of at most 64 letters, digits and . _ + -, not "${String(version).slice(0, 80)}"`,
  );
}

/** The same for the same names, numbers, schemas and texts of functions. */
function codeDigest(code: unknown): string {
  const text = JSON.stringify(code, (_name, value: unknown) => (typeof value === "function" ? String(value) : value));
  return sha256(text).toString("hex").slice(0, digestCharacters);
}

/** The events that a controller will make are named after the intent and the controller. */
function checkDerivedTypes(controller: ControllerDefinition, watched: AggregateDefinition | undefined): void {
  if (watched === undefined) {
    throw invalid(`Controller ${controller.name} watches ${controller.watches}, which is not among the aggregates`);
  }
  for (const type of watched.intents.keys()) {
    const derived = `${type}.${controller.name}`;
    if (derived.length > limits.typeCharactersMax || derived.split(".").length > limits.typeTokensMax) {
      throw invalid(
        `The events of controller ${controller.name} would be called ${derived}, which is too long for a type`,
      );
    }
  }
}

function invalid(why: string): EventplaneError {
  return new EventplaneError("config_invalid", `The application cannot be used: ${why}.`);
}
