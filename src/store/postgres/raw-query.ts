/**
 * Statements of the hot paths: prepared once, their values sent as text, and their rows taken as the text that PostgreSQL
 * sends, by place. Nothing is described and nothing is parsed that nobody asks for, which halves the cost of a small statement
 * (docs/reference/benchmarks.md).
 */
import type { Duplex } from "node:stream";
import pg from "pg";
import { translatePgError } from "./pg-error.js";

/** A row as PostgreSQL's text, column by column. */
export type RawRow = readonly (string | null)[];

/** A named statement and its values as PostgreSQL's text. */
export interface RawStatement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly (string | null)[];
}

/** What is used of the driver's own query, which calls its client back with the rows or with an error. */
interface DriverQuery {
  callback: (error: Error | null | undefined, rows?: readonly RawRow[]) => void;
  name: string;
  readonly text: string;
  readonly values: readonly (string | null)[];
  hasBeenParsed(connection: DriverConnection): boolean;
}

/** What is used of a connection of the driver. */
interface DriverConnection {
  readonly stream: Pick<Duplex, "cork" | "uncork">;
  readonly submittedNamedStatements: Record<string, string>;
  bind(message: { readonly statement: string; readonly values: readonly (string | null)[] }): void;
  execute(): void;
  parse(message: { readonly name: string; readonly text: string }): void;
  sync(): void;
}

// The driver pipelines its own class only, and its types know less of that than its documents.
const OwnQuery = pg.Query as unknown as new (text: string, values: readonly (string | null)[]) => DriverQuery;

class RawQuery extends OwnQuery {
  readonly #rows: RawRow[] = [];

  constructor({ name, text, values }: RawStatement) {
    super(text, values);
    this.name = name;
  }

  /** As one write to the socket. */
  submit(connection: DriverConnection): null {
    const { name, text, values } = this;
    connection.stream.cork();
    try {
      if (!this.hasBeenParsed(connection)) {
        connection.parse({ name, text });
        connection.submittedNamedStatements[name] = text;
      }
      connection.bind({ statement: name, values });
      connection.execute();
      connection.sync();
    } finally {
      connection.stream.uncork();
    }
    return null;
  }

  handleDataRow({ fields }: { readonly fields: RawRow }): void {
    this.#rows.push(fields);
  }

  handleCommandComplete(): void {
    // How many rows a statement touched, its function answers where it matters.
  }

  handleReadyForQuery(): void {
    this.callback(null, this.#rows);
  }
}

/** The rows of a statement that a client sends now, behind what it has sent before. Rejects with the driver's error. */
export function sendRaw(client: pg.ClientBase, statement: RawStatement): Promise<readonly RawRow[]> {
  return new Promise((resolve, reject) => {
    const query = new RawQuery(statement);
    query.callback = (error, rows) =>
      rows === undefined ? reject(error ?? new Error("no rows and no error")) : resolve(rows);
    client.query(query as unknown as pg.Submittable);
  });
}

/** The rows of a statement. @throws EventplaneError as translatePgError */
export async function askRaw(pool: pg.Pool, statement: RawStatement): Promise<readonly RawRow[]> {
  try {
    const client = await pool.connect();
    let failed = true;
    try {
      const rows = await sendRaw(client, statement);
      failed = false;
      return rows;
    } finally {
      // A connection that failed is not used again.
      client.release(failed);
    }
  } catch (error) {
    throw translatePgError(error);
  }
}
