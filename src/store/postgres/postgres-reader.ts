/** Reads of one tenant's log under its row security. */
import type pg from "pg";
import { type EventRow, genesisHash, keptCommitProof, proofBack } from "../../event/index.js";
import { assert, isUuid, limits, type TenantId } from "../../kernel/index.js";
import type { Head, LogReader, ReadQuery } from "../port.js";
import { inTenant } from "./ask.js";
import { bytesOf, decodeEventRow, integer, type ReferringRow } from "./event-row.js";
import { askRaw, type RawRow, sendRaw } from "./raw-query.js";
import {
  headStatement,
  idsStatement,
  pageStatement,
  type Statement,
  sharedStatement,
  streamStatement,
} from "./read-statements.js";

const firstLogEpoch = 1;

/**
 * The reader over a pool whose role may select under the tenant policy.
 *
 * The tenant is set inside the transaction of each read and is gone with it, so a pooled connection never keeps one;
 * what needs several statements leaves in one flush. The pool belongs to the caller.
 */
export class PostgresReader implements LogReader {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async read(tenantId: TenantId, query: ReadQuery): Promise<readonly EventRow[]> {
    assertLimit(query.limit ?? 1);
    return this.#events(tenantId, pageStatement(tenantId, query));
  }

  async readByIds(tenantId: TenantId, ids: readonly string[]): Promise<readonly EventRow[]> {
    assert(ids.length <= limits.readPageMax, `at most ${limits.readPageMax} ids a read`);
    const known = ids.filter(isUuid);
    return known.length === 0 ? [] : this.#events(tenantId, idsStatement(tenantId, known));
  }

  async readStream(
    tenantId: TenantId,
    stream: { readonly aggregateType: string; readonly aggregateId: string },
    options: { readonly afterVersion?: number; readonly limit?: number } = {},
  ): Promise<readonly EventRow[]> {
    const { afterVersion = 0, limit = limits.readPageMax } = options;
    assertLimit(limit);
    return this.#events(tenantId, streamStatement(tenantId, stream, { afterVersion, limit }));
  }

  async head(tenantId: TenantId): Promise<Head> {
    const [row] = await this.#rows(tenantId, headStatement(tenantId));
    if (row === undefined) {
      return {
        tenantId,
        position: 0,
        hash: genesisHash(tenantId, firstLogEpoch),
        recordedAtUs: 0,
        logEpoch: firstLogEpoch,
      };
    }
    return {
      tenantId,
      position: integer(row[0]),
      hash: bytesOf(row[1]),
      recordedAtUs: integer(row[2]),
      logEpoch: integer(row[3]),
    };
  }

  async #events(tenantId: TenantId, statement: Statement): Promise<readonly EventRow[]> {
    const rows = await this.#rows(tenantId, statement);
    return this.#whole(
      tenantId,
      rows.map((row) => decodeEventRow(tenantId, row)),
    );
  }

  /** Most pages hold whole commits; what events before them keep for them is read by one more statement. */
  async #whole(tenantId: TenantId, rows: readonly ReferringRow[]): Promise<readonly EventRow[]> {
    const proofs = new Map<number, Uint8Array>();
    const causes = new Map<number, string>();
    for (const { position, proof, causedByText } of rows) {
      if (proofBack(proof) === 0) proofs.set(position, keptCommitProof(proof));
      if (causedByText !== null) causes.set(position, causedByText);
    }
    const missing = new Set<number>();
    for (const row of rows) {
      if (!proofs.has(proofKeeper(row))) missing.add(proofKeeper(row));
      if (!causes.has(row.position - row.causeBack)) missing.add(row.position - row.causeBack);
    }
    for (const [position, proof, causedBy] of missing.size === 0
      ? []
      : await this.#rows(tenantId, sharedStatement(tenantId, [...missing]))) {
      proofs.set(integer(position), keptCommitProof(bytesOf(proof)));
      if (causedBy !== null && causedBy !== undefined) causes.set(integer(position), causedBy);
    }
    return rows.map(({ causeBack, ...row }) => ({
      ...row,
      causedByText: causes.get(row.position - causeBack) ?? "{}",
      commitProof: proofs.get(proofKeeper(row)) ?? new Uint8Array(),
    }));
  }

  async #rows(tenantId: TenantId, statement: Statement): Promise<readonly RawRow[]> {
    if (statement.setsTenant) return askRaw(this.#pool, statement);
    return inTenant(this.#pool, tenantId, (client) => sendRaw(client, statement));
  }
}

/** The position of the event that keeps the proof of a row's commit. */
function proofKeeper({ position, proof }: Pick<EventRow, "position" | "proof">): number {
  return position - proofBack(proof);
}

function assertLimit(limit: number): void {
  assert(
    Number.isInteger(limit) && limit >= 1 && limit <= limits.readPageMax,
    `a page has 1 to ${limits.readPageMax} events`,
  );
}
