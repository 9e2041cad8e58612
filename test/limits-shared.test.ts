/** What is left of limits in PostgreSQL: the contract, under the role of the edge, which alone may touch it. */
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { type EventplaneError, PLATFORM_TENANT_ID, systemClock } from "../src/kernel/index.js";
import { Allowances, PostgresAllowances } from "../src/quota/index.js";
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

test("one that was let go and the one in its place are not claimed in one call, which fails for all that are in it", async () => {
  const failures: unknown[] = [];
  const allowances = new Allowances({
    store: new PostgresAllowances(installation.pool("edge")),
    clock: systemClock,
    report: (failure) => void failures.push(failure),
    onCall: () => undefined,
  });
  const of = { tenantId: PLATFORM_TENANT_ID, capacity: 100, perSecond: 10, leaseTokens: 10, keepSeconds: 11 };
  const [first, letGo, inPlace, other] = ["first", "of one", "of one", "of another"].map((name) =>
    allowances.open({ ...of, name }),
  );
  // The first is a call of its own; the others wait for it and go together.
  const taken = [first, letGo, inPlace, other].map(async (each) => each?.take(1));
  const told = taken.map((each) =>
    each.then(
      (answer) => answer?.result,
      (error: EventplaneError) => error.code,
    ),
  );
  expect(await Promise.all(told)).toEqual(["taken", "taken", "taken", "taken"]);
  expect(failures).toEqual([]);
});
