/** Append by the function of one tier: one statement, one round trip, one commit. */
import type pg from "pg";
import { assert, limits } from "../../kernel/index.js";
import { assertAppend } from "../assert-append.js";
import type { Appender, AppendOutcome, SignedAppend } from "../port.js";
import { decodeOutcomes, encodeCall } from "./append-codec.js";
import { translatePgError } from "./pg-error.js";
import { rawTypes } from "./raw-rows.js";

const statements = {
  edge: { name: "append_edge", text: "select eventplane.append_edge($1)" },
  runtime: { name: "append_derived", text: "select eventplane.append_derived($1)" },
} as const;

/**
 * The appender of one tier over a pool whose role may execute that tier's function.
 *
 * The pool belongs to the caller. Errors: see `Appender`.
 */
export class PostgresAppender implements Appender {
  readonly tier: Appender["tier"];
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool, tier: Appender["tier"]) {
    this.#pool = pool;
    this.tier = tier;
  }

  async append(call: readonly SignedAppend[]): Promise<readonly AppendOutcome[]> {
    assertCall(call, this.tier);
    if (call.length === 0) return [];
    const query = { ...statements[this.tier], values: [encodeCall(call)], rowMode: "array" as const, types: rawTypes };
    try {
      const { rows } = await this.#pool.query<string[]>(query);
      const answer = rows[0]?.[0];
      assert(answer !== undefined, "an append function answers with one text");
      return decodeOutcomes(call, answer);
    } catch (error) {
      throw translatePgError(error);
    }
  }
}

function assertCall(call: readonly SignedAppend[], tier: Appender["tier"]): void {
  const events = call.reduce((sum, { items }) => sum + items.length, 0);
  const tenants = new Set(call.map(({ tenantId }) => tenantId)).size;
  assert(events <= limits.callEventsMax, `a call has at most ${limits.callEventsMax} events, not ${events}`);
  assert(tenants <= limits.callTenantsMax, `a call has at most ${limits.callTenantsMax} tenants, not ${tenants}`);
  for (const append of call) assertAppend(append, tier);
}
