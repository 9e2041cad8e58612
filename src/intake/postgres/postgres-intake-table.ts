/** The table of an intake in PostgreSQL. Works through a pooler in transaction mode: every call is one statement. */
import type pg from "pg";
import { createPool, endPool, translatePgError } from "../../store/postgres/index.js";
import { intakeCharactersMax } from "../enqueue-intent.js";
import type {
  IntakeClaim,
  IntakeMark,
  IntakeRow,
  IntakeStanding,
  IntakeTable,
  RefusedFilter,
  RefusedRow,
} from "../port.js";
import { claimSql, deleteAcceptedSql, markSql, purgeSql, refusedSql, retrySql, standingSql } from "./statements.js";

/** Where the table is. */
export interface PostgresIntakeOptions {
  /** The application's database, as a role that may select, update and delete in the table. */
  readonly url: string;
  readonly schema: string;
  readonly onConnectionLost?: (error: Error) => void;
}

const connectionsMax = 2;

interface ClaimedRow extends Omit<IntakeRow, "principal"> {
  readonly principalType: string;
  readonly principalId: string;
}

/** One intake's table. */
export class PostgresIntakeTable implements IntakeTable {
  readonly #pool: pg.Pool;
  readonly #schema: string;

  constructor({ url, schema, onConnectionLost }: PostgresIntakeOptions) {
    this.#pool = createPool(url, {
      connectionsMax,
      applicationName: "eventplane intake",
      ...(onConnectionLost === undefined ? {} : { onConnectionLost }),
    });
    this.#schema = `"${schema}"`;
  }

  async claim({ claim, after, without, rowsMax, leaseMs }: IntakeClaim): Promise<readonly IntakeRow[]> {
    const values = [after, without, rowsMax, leaseMs / 1_000, claim, intakeCharactersMax];
    const { rows } = await this.#run<ClaimedRow>(claimSql, values);
    return rows
      .map(({ principalType, principalId, ...row }) => ({
        ...row,
        principal: { type: principalType, id: principalId },
      }))
      .sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1));
  }

  async mark(claim: string, marks: readonly IntakeMark[]): Promise<void> {
    const columns = marks.map(markColumns);
    const column = (at: number): unknown[] => columns.map((each) => each[at]);
    await this.#run(markSql, [claim, ...[0, 1, 2, 3, 4, 5, 6, 7].map(column)]);
  }

  async standing(): Promise<IntakeStanding> {
    const { rows } = await this.#run<{ waiting: number; refused: number; oldestSeconds: number }>(standingSql, []);
    return rows[0] ?? { waiting: 0, refused: 0, oldestSeconds: 0 };
  }

  async deleteAccepted(keepMs: number): Promise<number> {
    return (await this.#run(deleteAcceptedSql, [keepMs / 1_000])).rowCount ?? 0;
  }

  async refused(filter: RefusedFilter, limit: number): Promise<readonly RefusedRow[]> {
    return (await this.#run<{ [Key in keyof RefusedRow]: RefusedRow[Key] }>(refusedSql, [...valuesOf(filter), limit]))
      .rows;
  }

  async retry(filter: RefusedFilter): Promise<number> {
    return (await this.#run(retrySql, valuesOf(filter))).rowCount ?? 0;
  }

  async purge(filter: RefusedFilter): Promise<number> {
    return (await this.#run(purgeSql, valuesOf(filter))).rowCount ?? 0;
  }

  close(): Promise<void> {
    return endPool(this.#pool);
  }

  async #run<Row extends object>(sql: string, values: unknown[]): Promise<pg.QueryResult<Row & pg.QueryResultRow>> {
    try {
      return await this.#pool.query<Row & pg.QueryResultRow>(sql.replaceAll("SCHEMA", this.#schema), values);
    } catch (error) {
      throw translatePgError(error);
    }
  }
}

function markColumns({ row, outcome, delayMs }: IntakeMark): readonly unknown[] {
  const delay = delayMs / 1_000;
  switch (outcome.result) {
    case "accepted":
      return [row.rowId, "accepted", 0, 0, null, null, outcome.eventId, outcome.position];
    case "refused":
      return [row.rowId, "refused", 0, 0, outcome.error.code, outcome.error.message, null, null];
    case "later":
      return [row.rowId, "waiting", 1, delay, outcome.error.code, outcome.error.message, null, null];
    default:
      return [row.rowId, "waiting", 0, delay, null, null, null, null];
  }
}

function valuesOf({ rowId, tenant, code }: RefusedFilter): unknown[] {
  return [rowId ?? null, tenant ?? null, code ?? null];
}
