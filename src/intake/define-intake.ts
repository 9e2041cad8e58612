/** `defineIntake`: a table in an application's own database that the plane takes intents from. */
import type { IntakeDefinition } from "../event/index.js";
import { EventplaneError } from "../kernel/index.js";
import { intakeSchemaDefault, isIdentifier } from "./intake-schema.js";

/** What a team writes of an intake. */
export interface IntakeConfig {
  /** Lower-case letters, digits and `-`, at most 64. It is part of the ids of its events: never change it. */
  readonly name: string;
  /**
   * The application's database, as a role that may only select, update and delete in the intake's table. A secret: take it
   * from the environment. Undefined where this process does not drain it; a plane refuses to start without it.
   */
  readonly databaseUrl: string | undefined;
  /** The schema of the table; default `eventplane_intake`. Two intakes in one database have two. */
  readonly schema?: string;
  /** Slugs or ids of the tenants that it may publish in, or `all`. Whoever holds the application's database can ask for no other. */
  readonly tenants: readonly string[] | "all";
  /** Types that it may publish, `organization.create`, or beginnings, `organization.*`; default all. */
  readonly types?: readonly string[];
  /** Types that its rows may give their principals; default `user`. */
  readonly principalTypes?: readonly string[];
  /** Waits for the notifications that `evtctl intake install --notify` sends, beside polling; default false. */
  readonly listen?: boolean;
  /** How often it looks for rows, milliseconds, 10 to 60,000; default 250. */
  readonly pollMs?: number;
  /** How long rows stay that were accepted, milliseconds, 0 to 90 days; default a day. Refused ones stay until they are purged. */
  readonly keepAcceptedMs?: number;
}

/** An intake for `defineApp({ intakes })`. */
export interface Intake {
  readonly definition: IntakeDefinition;
}

const nameForm = /^[a-z][a-z0-9-]{0,63}$/;
const principalTypeForm = /^[a-z][a-z0-9_-]{0,63}$/;
const typeForm = /^[a-z][a-z0-9_-]{0,63}(\.[a-z0-9][a-z0-9_-]*){0,6}\.(\*|[a-z0-9][a-z0-9_-]*)$/;
/** What only the plane itself may be. */
const reservedPrincipalTypes: ReadonlySet<string> = new Set(["source", "system", "anonymous", "intake"]);
const dayMs = 86_400_000;
const pollMs = { default: 250, min: 10, max: 60_000 } as const;
const keepMs = { default: dayMs, min: 0, max: 90 * dayMs } as const;

/**
 * Declares an intake.
 *
 * @throws EventplaneError `config_invalid` for a name, schema, type or bound that is none, and for principals that only the
 * plane itself may be
 */
export function defineIntake(config: IntakeConfig): Intake {
  const { name, databaseUrl, schema = intakeSchemaDefault, tenants, types, principalTypes = ["user"] } = config;
  if (!nameForm.test(name)) throw invalid(name, 'its name has at most 64 lower-case letters, digits and "-"');
  if (!isIdentifier(schema)) throw invalid(name, "its schema is no plain lower-case name of SQL");
  const wrongType = types?.find((type) => !typeForm.test(type));
  if (wrongType !== undefined) throw invalid(name, `"${wrongType.slice(0, 80)}" is no type and no beginning of types`);
  const reserved = principalTypes.find((type) => !principalTypeForm.test(type) || reservedPrincipalTypes.has(type));
  if (reserved !== undefined) throw invalid(name, `its principals cannot be of type "${reserved.slice(0, 80)}"`);
  return {
    definition: Object.freeze({
      name,
      databaseUrl: () => databaseUrl,
      schema,
      tenants: tenants === "all" ? tenants : new Set(tenants),
      ...(types === undefined ? {} : { types }),
      principalTypes: new Set(principalTypes),
      listens: config.listen ?? false,
      pollMs: bounded(name, "pollMs", { value: config.pollMs, ...pollMs }),
      keepAcceptedMs: bounded(name, "keepAcceptedMs", { value: config.keepAcceptedMs, ...keepMs }),
    }),
  };
}

interface Bounded {
  readonly value: number | undefined;
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

function bounded(name: string, what: string, { value, default: otherwise, min, max }: Bounded): number {
  const number = value ?? otherwise;
  if (Number.isInteger(number) && number >= min && number <= max) return number;
  throw invalid(name, `${what} is a whole number from ${min} to ${max}`);
}

function invalid(name: string, why: string): EventplaneError {
  return new EventplaneError("config_invalid", `Intake "${String(name).slice(0, 80)}" cannot be used: ${why}.`);
}
