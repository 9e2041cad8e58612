/** append_derived and the work row that it closes in the same commit (DESIGN §13.7). */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DraftEvent } from "../src/event/index.js";
import type { TenantId } from "../src/kernel/index.js";
import type { AppendItem, AppendOutcome } from "../src/store/index.js";
import {
  appending,
  appendOf,
  createTestSigner,
  creating,
  draftDerived,
  draftIntent,
  newTenantId,
  signAppend,
} from "../src/testing/index.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

let installation: Installation;
let tenantId: TenantId;
let origin: DraftEvent;
let leaseToken: string;

beforeAll(async () => {
  installation = await installEventplane();
});
afterAll(() => installation.close());
beforeEach(async () => {
  tenantId = newTenantId();
  origin = draftIntent({ tenantId });
  leaseToken = randomUUID();
  await installation.edge.append([signAppend(createTestSigner("edge"), appendOf(creating(origin)))]);
  await installation.asSuperuser(
    `insert into eventplane.work (tenant_id, aggregate_type, aggregate_id, component, state, due_at, lease_token, lease_until, attempts, woken_seq, claimed_seq)
     values ($1, $2, $3, 'quota', 'ready', clock_timestamp() + interval '1 minute', $4, clock_timestamp() + interval '1 minute', 1, 1, 1)`,
    [tenantId, origin.aggregateType, origin.aggregateId, leaseToken],
  );
});

const signer = createTestSigner("runtime");

async function decide(
  item: AppendItem,
  lease: { token?: string; dueAfterMs?: number | null } = {},
): Promise<AppendOutcome | undefined> {
  const { aggregateType, aggregateId } = origin;
  const { token = leaseToken, dueAfterMs = null } = lease;
  const held = { aggregateType, aggregateId, component: "quota", leaseToken: token, dueAfterMs };
  const [outcome] = await installation.runtime.append([signAppend(signer, { ...appendOf(item), lease: held })]);
  return outcome;
}

const derived = (parts: Partial<AppendItem> = {}): AppendItem =>
  appending(draftDerived(origin), { effect: "derived", expectedVersion: 1, ...parts });

const workRow = async (): Promise<unknown> =>
  (await installation.asSuperuser("select * from eventplane.work where tenant_id = $1", [tenantId]))[0];
const position = async (): Promise<number> => (await installation.reader.head(tenantId)).position;

describe("an append with a lease", () => {
  it("closes its row in the same commit", async () => {
    expect((await decide(derived()))?.result).toBe("appended");
    expect(await workRow()).toMatchObject({ state: "idle", due_at: null, lease_token: null });
  });

  it("sets the row's due time when asked", async () => {
    expect((await decide(derived(), { dueAfterMs: 60_000 }))?.result).toBe("appended");
    expect(await workRow()).toMatchObject({ state: "ready", lease_token: null });
  });

  it("is refused as lease_lost when another holds the row now, and nothing changes", async () => {
    const before = await workRow();
    expect(await decide(derived(), { token: randomUUID() })).toMatchObject({
      result: "refused",
      code: "lease_lost",
      index: 0,
    });
    expect([await workRow(), await position()]).toEqual([before, 1]);
  });

  it("leaves the row alone when a condition fails, and the row can still be settled", async () => {
    const before = await workRow();
    expect(await decide(derived({ expectedVersion: 7 }))).toMatchObject({
      result: "refused",
      code: "wrong_expected_version",
    });
    expect([await workRow(), await position()]).toEqual([before, 1]);
    expect((await decide(derived()))?.result).toBe("appended");
  });

  it("a lost lease does not hold up the other appends of its call", async () => {
    const lease = { ...origin, component: "quota", leaseToken: randomUUID(), dueAfterMs: null };
    const outcomes = await installation.runtime.append([
      signAppend(signer, { ...appendOf(derived()), lease }),
      signAppend(signer, appendOf(derived())),
    ]);
    expect(outcomes.map(({ result }) => result)).toEqual(["refused", "appended"]);
    expect(await position()).toBe(2);
  });
});
