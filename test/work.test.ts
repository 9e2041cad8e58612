/** The work table in PostgreSQL: the contract suite, its grants, and claims under load. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { workContract } from "../src/testing/index.js";
import { PostgresWorkStore } from "../src/work/index.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

workContract({ describe, it, beforeAll, afterAll }, "postgres", async () => {
  const installation = await installEventplane();
  return {
    work: new PostgresWorkStore(installation.pool("runtime")),
    edge: installation.edge,
    runtime: installation.runtime,
    waitMs: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    close: () => installation.close(),
  };
});

describe("grants of the work table", () => {
  let installation: Installation;
  beforeAll(async () => {
    installation = await installEventplane();
  });
  afterAll(() => installation.close());

  it("the edge reads dead letters of its tenant only and changes nothing", async () => {
    const edge = installation.pool("edge");
    const runtime = installation.pool("runtime");
    const [mine, other] = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
    await runtime.query(
      `insert into eventplane.work (tenant_id, aggregate_type, aggregate_id, component, state, due_at, dead_since, attempts,
         failure_code, failure_message, failed_generation)
       values ($1, 'organization', 'a', 'quota', 'dead', null, now(), 5, 'Error', 'm', 1),
              ($2, 'organization', 'b', 'quota', 'dead', null, now(), 5, 'Error', 'm', 1),
              ($1, 'organization', 'c', 'quota', 'ready', now(), null, 0, null, null, null)`,
      [mine, other],
    );
    const letters = await new PostgresWorkStore(edge).deadLetters(mine as never);
    expect(letters.map(({ aggregateId }) => aggregateId)).toEqual(["a"]);
    const { rows } = await edge.query("select 1 from eventplane.work");
    expect(rows).toEqual([]);
    for (const forbidden of [
      "delete from eventplane.work",
      "update eventplane.work set state = 'idle'",
      "select eventplane.work_claim(array['quota'], 1, 1000, '00000000-0000-0000-0000-000000000000')",
      "insert into eventplane.cursors values ('work', gen_random_uuid(), 1, 0, '')",
    ]) {
      await expect(edge.query(forbidden)).rejects.toThrow(/permission denied/);
    }
  });

  it("only the append functions may settle", async () => {
    const call = `select eventplane.work_settle('11111111-1111-4111-8111-111111111111', 'a', 'b', 'c', gen_random_uuid(), null)`;
    for (const role of ["edge", "runtime", "reader", "projector"] as const) {
      await expect(installation.pool(role).query(call)).rejects.toThrow(/permission denied/);
    }
  });

  it("the runtime does not read other consumers' cursors", async () => {
    const runtime = installation.pool("runtime");
    await expect(
      runtime.query(
        "insert into eventplane.cursors values ('resources', gen_random_uuid(), 1, 0, decode(repeat('00', 32), 'hex'))",
      ),
    ).rejects.toThrow(/row-level security/);
  });
});
