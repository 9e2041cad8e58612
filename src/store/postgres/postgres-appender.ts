/** Append by the function of one tier: one statement, one round trip, one commit. */
import type pg from "pg";
import { assert, limits } from "../../kernel/index.js";
import type { Appender, AppendOutcome, SignedAppend } from "../port.js";
import { decodeOne, decodeOutcomes, encodeCall, encodeOne } from "./append-codec.js";
import { askRaw, type RawStatement } from "./raw-query.js";

const one = {
  name: "append_edge_one",
  text: `select eventplane.append_edge_one(${Array.from({ length: 20 }, (_, index) => `$${index + 1}`).join(", ")})`,
} as const;
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
    assertCall(call);
    if (call.length === 0) return [];
    const [first] = call;
    if (this.tier === "edge" && call.length === 1 && first !== undefined && isOne(first)) {
      const answer = await this.#ask(one, encodeOne(first));
      if (answer !== null) return [decodeOne(first, answer)];
    }
    const answer = await this.#ask(statements[this.tier], [encodeCall(call)]);
    assert(answer !== null, "an append function answers with one text");
    return decodeOutcomes(call, answer);
  }

  async #ask(statement: Omit<RawStatement, "values">, values: RawStatement["values"]): Promise<string | null> {
    const { name, text } = statement;
    const [row] = await askRaw(this.#pool, { name, text, values });
    return row?.[0] ?? null;
  }
}

/** One event that keeps the first leaf of its commit; of a call that was taken apart, others come alone too. */
function isOne({ items, firstLeaf }: SignedAppend): boolean {
  return items.length === 1 && firstLeaf === 0;
}

/** The forms of what is appended are the coalescer's to check, and the functions check what only a stolen service would send. */
function assertCall(call: readonly SignedAppend[]): void {
  const events = call.reduce((sum, { items }) => sum + items.length, 0);
  const isOfTenant = ({ tenantId, items }: SignedAppend): boolean =>
    items.every(({ event }) => event.tenantId === tenantId);
  assert(call.every(isOfTenant), "an event is of the tenant of its append");
  const tenants = new Set(call.map(({ tenantId }) => tenantId)).size;
  assert(events <= limits.callEventsMax, `a call has at most ${limits.callEventsMax} events, not ${events}`);
  assert(tenants <= limits.callTenantsMax, `a call has at most ${limits.callTenantsMax} tenants, not ${tenants}`);
}
