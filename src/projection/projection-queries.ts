/** Questions to the projections of an app, on request not answered before a position is in them. */
import type { AppDefinition, ProjectionDefinition } from "../event/index.js";
import { type Clock, EventplaneError, type TenantId } from "../kernel/index.js";
import type { DeclaredTables, Projection } from "./define-projection.js";
import type { Table } from "./helper-tables.js";
import { PositionWaits } from "./position-waits.js";
import {
  type AcrossTenantsPage,
  acrossQueryOf,
  type ProjectionPage,
  type ProjectionQuery,
  type ProjectionRows,
  rowOf,
  storedQueryOf,
  sumsOf,
} from "./projection-query.js";

/** A question to a table of a projection whose tables are known: `where` goes with groups, `key` with the others. */
export type TypedQuery<Tables extends DeclaredTables, Name extends keyof Tables & string> = {
  readonly table: Name;
  readonly after?: string;
  readonly limit?: number;
} & (Tables[Name] extends Table<unknown, unknown, infer Where>
  ? [Where] extends [never]
    ? { readonly key?: string; readonly where?: never }
    : { readonly where?: Where; readonly key?: never }
  : never);

/** A row of a declared table. */
export type RowOf<Of> = Of extends Table<unknown, infer Row, unknown> ? Row : never;

/** A projection of which only the tables matter. */
export type ProjectionOf<Tables extends DeclaredTables> = Projection<string, Tables>;

/**
 * {@link ProjectionQueries.acrossTenants} of a projection whose tables are known.
 *
 * @throws EventplaneError as it does
 */
export async function queryAcrossTenants<Tables extends DeclaredTables, Name extends keyof Tables & string>(
  queries: ProjectionQueries,
  { definition: { name } }: ProjectionOf<Tables>,
  query: TypedQuery<Tables, Name>,
): Promise<AcrossTenantsPage<RowOf<Tables[Name]>>> {
  const page = await queries.acrossTenants(name, query as ProjectionQuery); // the same members, with the names of one table
  return page as unknown as AcrossTenantsPage<RowOf<Tables[Name]>>; // the fold let nothing else in
}

/** Answers for all tenants; whoever asks has been let in before. */
export class ProjectionQueries {
  readonly #app: Pick<AppDefinition, "projections">;
  readonly #rows: ProjectionRows;
  readonly #waits: ReadonlyMap<string, PositionWaits>;

  constructor(parts: {
    readonly app: Pick<AppDefinition, "projections">;
    readonly rows: ProjectionRows;
    readonly clock: Clock;
  }) {
    const { app, rows, clock } = parts;
    this.#app = app;
    this.#rows = rows;
    this.#waits = new Map(
      [...app.projections.keys()].map((name) => {
        const position = (tenantId: TenantId): Promise<number> => rows.position(tenantId, name);
        return [name, new PositionWaits({ clock, what: `Projection ${name}`, position })];
      }),
    );
  }

  /**
   * A page of one table.
   *
   * @throws EventplaneError `not_found` for a projection that the app does not have; `request_invalid` for a table or a
   * parameter that it does not have; `timeout` when `minPosition` is not reached within 5 s; `busy`, `unavailable`
   */
  async query(
    tenantId: TenantId,
    name: string,
    { minPosition, ...query }: ProjectionQuery & { readonly minPosition?: number | undefined },
  ): Promise<ProjectionPage> {
    const definition = this.#definition(name);
    const stored = storedQueryOf(definition, query);
    const table = definition.tables.get(query.table);
    if (minPosition !== undefined) await this.#waits.get(name)?.reach(tenantId, minPosition);
    const { position, rows } = await this.#rows.read(tenantId, stored);
    const last = rows.length < stored.limit ? undefined : rows.at(-1);
    return {
      rows: table === undefined ? [] : rows.map((row) => rowOf(table, row)),
      position,
      next: last === undefined || stored.key !== undefined ? null : last.key,
    };
  }

  /**
   * A page of one table that is declared with `acrossTenants`, added up over all tenants as each of them stands. Only for
   * operators of the platform.
   *
   * @throws EventplaneError `not_found` for a projection that the app does not have; `request_invalid` for another table or
   * parameter; `projection_invalid` for a sum beyond the safe integers; `busy`, `unavailable`
   */
  async acrossTenants(name: string, query: ProjectionQuery): Promise<AcrossTenantsPage> {
    const definition = this.#definition(name);
    const stored = acrossQueryOf(definition, query);
    const table = definition.tables.get(query.table);
    const rows = await this.#rows.sums(stored);
    const last = rows.length < stored.limit ? undefined : rows.at(-1);
    return {
      rows: table === undefined ? [] : rows.map((row) => sumsOf(table, row)),
      next: last === undefined || stored.key !== undefined ? null : last.key,
    };
  }

  #definition(name: string): ProjectionDefinition {
    const definition = this.#app.projections.get(name);
    if (definition !== undefined) return definition;
    throw new EventplaneError("not_found", "This app has no such projection.");
  }
}
