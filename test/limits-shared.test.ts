/** What is left of limits in PostgreSQL: the contract, under the role of the edge, which alone may touch it. */
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { PostgresAllowances } from "../src/quota/index.js";
import { allowanceContract } from "../src/testing/index.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

let installation: Installation;

beforeAll(async () => {
  installation = await installEventplane();
}, 60_000);
afterAll(() => installation.close());

allowanceContract({ describe, it, beforeAll, afterAll }, "PostgreSQL", async () => ({
  allowances: new PostgresAllowances(installation.pool("edge")),
  close: async () => undefined,
}));

test("no other role sees or changes it", async () => {
  for (const role of ["runtime", "reader", "auditor", "projector"] as const) {
    const rights = await installation.asSuperuser<{ right: string }>(
      `select w as right from unnest(array['select', 'insert', 'update', 'delete', 'truncate']) w
       where has_table_privilege($1, 'eventplane.allowances', w)`,
      [`${installation.database.rolePrefix}_${role}`],
    );
    expect(rights).toEqual([]);
  }
});
