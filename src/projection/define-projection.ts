/** `defineProjection`: tables, and one pure function from an event to what changes in them. */
import { isEventType, type ProjectionDefinition, type ProjectionEvent, type ProjectionTable } from "../event/index.js";
import { EventplaneError, type JsonObject, limits } from "../kernel/index.js";
import type { Table } from "./helper-tables.js";

/** Tables by name, as `tables` of a projection declares them. */
export type DeclaredTables = Readonly<Record<string, Table<unknown, unknown, unknown>>>;

/** An aggregate, as far as it says what its intents hold. */
interface Told {
  readonly definition: { readonly name: string };
  readonly "~types"?: { readonly message: unknown };
}

type MessageIn<Of> = Of extends { readonly "~types"?: infer Types }
  ? NonNullable<Types> extends { readonly message: infer Message }
    ? Message
    : never
  : never;

/** The spec of an event of this type, where one of the aggregates has such an intent; any JSON object otherwise. */
export type SpecOfType<From extends readonly Told[], Type> = [
  Extract<MessageIn<From[number]>, { readonly type: Type }>,
] extends [never]
  ? JsonObject
  : Extract<MessageIn<From[number]>, { readonly type: Type }> extends { readonly spec: infer Spec }
    ? Spec
    : JsonObject;

/** What `apply` gets of each table. */
export type HandlesOf<Tables extends DeclaredTables> = {
  readonly [Name in keyof Tables]: Tables[Name] extends Table<infer Handle, unknown, unknown> ? Handle : never;
};

/** What a team writes of a projection. */
export interface ProjectionConfig<
  Name extends string,
  Tables extends DeclaredTables,
  From extends readonly Told[],
  Type extends string,
> {
  /** A name in SQL: a-z, 0-9 and _, a letter first, at most 40. */
  readonly name: Name;
  /** From 1. Raise it when `apply` changes: the projection is folded anew beside the one that is read. Default 1. */
  readonly version?: number;
  /** The aggregates whose intents are read: their specs are typed then. */
  readonly from?: From;
  readonly tables: Tables;
  /**
   * What an event of a type changes, by full type; others change nothing. Pure and synchronous: no I/O, no clock, no
   * random, no state of one's own, or a rebuild would give another result. It may run several times for one event.
   */
  readonly apply: {
    readonly [Each in Type]: (event: ProjectionEvent<SpecOfType<From, Each>>, tables: HandlesOf<Tables>) => void;
  };
}

/** A projection that knows its tables. */
export interface Projection<Name extends string, Tables extends DeclaredTables> {
  readonly definition: ProjectionDefinition & { readonly name: Name };
  /** For types only; never present at run time. */
  readonly "~types"?: { readonly tables: Tables };
}

const nameForm = /^[a-z][a-z0-9_]{0,39}$/;
/** What the tables in PostgreSQL end with. */
const takenEndings = /_(rows|totals|across_tenants)$/;
/** The store keeps it in 32 bits. */
const versionMax = 2_147_483_647;

/**
 * Declares a projection.
 *
 * @example
 * const byPlan = defineProjection({
 *   name: "organizations_by_plan",
 *   from: [organization],
 *   tables: { plans: groupBy({ by: ["plan"] }) },
 *   apply: {
 *     "organization.create": (event, { plans }) => plans.put(event.aggregateId, { plan: event.spec.plan }),
 *     "organization.delete": (event, { plans }) => plans.remove(event.aggregateId),
 *   },
 * });
 * @throws EventplaneError `config_invalid`
 */
export function defineProjection<
  const Name extends string,
  const Tables extends DeclaredTables,
  Type extends string,
  const From extends readonly Told[] = readonly [],
>(config: ProjectionConfig<Name, Tables, From, Type>): Projection<Name, Tables> {
  const { name, version = 1, from } = config;
  if (!nameForm.test(name)) throw invalid(`"${name}" cannot name one: use a-z, 0-9 and _, at most 40, a letter first`);
  if (!Number.isSafeInteger(version) || version < 1 || version > versionMax)
    throw invalid(`the version of ${name} must be a whole number from 1 to ${versionMax}`);
  const tables = Object.entries(config.tables).map(([table, declared]): [string, ProjectionTable] => {
    if (!nameForm.test(table) || takenEndings.test(table))
      throw invalid(`"${table}" cannot name a table of ${name}: use a-z, 0-9 and _, and no ending _rows or _totals`);
    return [table, declared.table];
  });
  if (tables.length === 0 || tables.length > limits.projectionTablesMax)
    throw invalid(`${name} needs 1 to ${limits.projectionTablesMax} tables`);
  const apply = Object.entries<unknown>(config.apply);
  for (const [type, run] of apply) checkApply(name, { type, run, from });
  if (apply.length === 0) throw invalid(`${name} applies no type of event`);
  const definition = {
    name,
    version,
    tables: new Map(tables),
    // Each function gets events of its own type and the tables declared here, which is what its parameters say.
    apply: new Map(apply) as unknown as ProjectionDefinition["apply"],
  };
  return Object.freeze({ definition: Object.freeze(definition) });
}

function checkApply(
  name: string,
  { type, run, from }: { readonly type: string; readonly run: unknown; readonly from: readonly Told[] | undefined },
): void {
  if (!isEventType(type)) throw invalid(`"${type}" in ${name} is no type of an event`);
  if (typeof run !== "function") throw invalid(`${name} needs a function for ${type}`);
  const root = type.split(".")[0];
  if (from !== undefined && !from.some(({ definition }) => definition.name === root))
    throw invalid(`${name} applies ${type}, but ${root} is not among the aggregates that it reads from`);
}

function invalid(why: string): EventplaneError {
  return new EventplaneError("config_invalid", `The projection cannot be used: ${why}.`);
}
