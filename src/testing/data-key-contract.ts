/** The contract suite of where data keys are kept: every adapter of src/personal/data-key-port.ts passes it. */
import { strict as check } from "node:assert";
import { randomBytes } from "node:crypto";
import type { EventId } from "../kernel/index.js";
import { systemIds, type TenantId } from "../kernel/index.js";
import { type DataKeyStore, type DataKeyUpkeep, subjectErased, type WrappedKey } from "../personal/index.js";
import type { Appender } from "../store/index.js";
import { createTestSigner, draftSystemFact, newTenantId, signAppend } from "./drafts.js";
import type { TestRunner } from "./test-runner.js";

/** An opened store of data keys, and the log beside it. */
export interface DataKeysUnderTest {
  readonly keys: DataKeyStore & DataKeyUpkeep;
  readonly edge: Appender;
  close(): Promise<void>;
}

const firstKek = "00000000000000a1";
const secondKek = "00000000000000b2";
const signer = createTestSigner("edge");

function key(subject: string, kekId: string = firstKek): WrappedKey {
  return { subject, keyId: systemIds.uuid4(), kekId, wrapped: randomBytes(60) };
}

/** Declares the suite for one adapter. */
export function dataKeyContract(runner: TestRunner, name: string, open: () => Promise<DataKeysUnderTest>): void {
  runner.describe(`data key contract: ${name}`, () => {
    let under: DataKeysUnderTest;
    runner.beforeAll(async () => {
      under = await open();
    });
    runner.afterAll(() => under.close());

    const noteErasure = async (tenantId: TenantId, subject: string): Promise<void> => {
      const { id, spec, type } = subjectErased(tenantId, subject);
      const event = draftSystemFact({
        tenantId,
        id: id as EventId, // a UUIDv8
        type,
        aggregateType: "subject",
        aggregateId: subject,
        specText: JSON.stringify(spec),
      });
      const items = [{ event, effect: "system", expectedVersion: "any" }] as const;
      const [outcome] = await under.edge.append([signAppend(signer, { tenantId, items })]);
      check.equal(outcome?.result, "appended");
    };

    runner.it("gives back what was added, by subject and by id, to its tenant only", async () => {
      const tenantId = newTenantId();
      const added = key("cus_1");
      check.deepEqual(plain(await under.keys.add(tenantId, added)), plain(added));
      check.deepEqual((await under.keys.ofSubjects(tenantId, ["cus_1", "cus_2"])).map(plain), [plain(added)]);
      check.deepEqual((await under.keys.ofIds(tenantId, [added.keyId])).map(plain), [plain(added)]);
      const other = newTenantId();
      check.deepEqual(await under.keys.ofSubjects(other, ["cus_1"]), []);
      check.deepEqual(await under.keys.ofIds(other, [added.keyId]), []);
      check.deepEqual(await under.keys.list(other, { limit: 10 }), []);
    });

    runner.it("keeps the first key of a subject, however many are added at once", async () => {
      const tenantId = newTenantId();
      const kept = await Promise.all(Array.from({ length: 8 }, () => under.keys.add(tenantId, key("cus_1"))));
      check.equal(new Set(kept.map((each) => each?.keyId)).size, 1);
      check.equal((await under.keys.list(tenantId, { limit: 10 })).length, 1);
    });

    runner.it("lists by subject, page by page", async () => {
      const tenantId = newTenantId();
      for (const subject of ["b", "a", "Z", "c"]) await under.keys.add(tenantId, key(subject));
      const first = await under.keys.list(tenantId, { limit: 2 });
      const rest = await under.keys.list(tenantId, { after: "a", limit: 10 });
      check.deepEqual(
        [...first, ...rest].map(({ subject }) => subject),
        ["Z", "a", "b", "c"],
      );
      check.match(first[0]?.createdAt ?? "", /^\d{4}-.*Z$/);
    });

    runner.it("destroys a key once, and that of nobody else", async () => {
      const tenantId = newTenantId();
      for (const subject of ["a", "b"]) await under.keys.add(tenantId, key(subject));
      check.equal(await under.keys.destroy(newTenantId(), "a"), false);
      check.equal(await under.keys.destroy(tenantId, "a"), true);
      check.equal(await under.keys.destroy(tenantId, "a"), false);
      const left = await under.keys.list(tenantId, { limit: 10 });
      check.deepEqual(
        left.map(({ subject }) => subject),
        ["b"],
      );
    });

    runner.it(
      "gives nobody the key of an erased subject, makes it no other, and sweeps what is left of it",
      async () => {
        const [tenantId, other] = [newTenantId(), newTenantId()];
        const left = key("cus_1");
        await under.keys.add(tenantId, left);
        await under.keys.add(other, key("cus_1"));
        await noteErasure(tenantId, "cus_1");
        check.deepEqual(await under.keys.ofSubjects(tenantId, ["cus_1"]), []);
        check.deepEqual(await under.keys.ofIds(tenantId, [left.keyId]), []);
        check.deepEqual(await under.keys.list(tenantId, { limit: 10 }), []);
        check.equal(await under.keys.add(tenantId, key("cus_1")), undefined);
        check.equal(await under.keys.sweep(), 1);
        check.equal(await under.keys.sweep(), 0);
        check.equal(await under.keys.destroy(tenantId, "cus_1"), false);
        check.equal((await under.keys.ofSubjects(other, ["cus_1"])).length, 1);
      },
    );

    runner.it("wraps keys anew that are still as they were read", async () => {
      const tenantId = newTenantId();
      const added = key("cus_1", secondKek);
      await under.keys.add(tenantId, added);
      check.deepEqual([...(await under.keys.kekIds())].sort(), [firstKek, secondKek]);
      const [older] = await under.keys.notUnder(firstKek, 10);
      check.deepEqual([older?.tenantId, older?.keyId], [tenantId, added.keyId]);
      const again = { ...added, tenantId, kekId: firstKek, wrapped: randomBytes(60) };
      await under.keys.rewrap(again, randomBytes(60));
      check.deepEqual((await under.keys.ofIds(tenantId, [added.keyId])).map(plain), [plain(added)]);
      await under.keys.rewrap(again, added.wrapped);
      check.deepEqual((await under.keys.ofIds(tenantId, [added.keyId])).map(plain), [plain(again)]);
      check.deepEqual(await under.keys.notUnder(firstKek, 10), []);
      check.deepEqual(await under.keys.kekIds(), [firstKek]);
    });
  });
}

function plain(wrapped: WrappedKey | undefined): object | undefined {
  if (wrapped === undefined) return undefined;
  const { subject, keyId, kekId } = wrapped;
  return { subject, keyId, kekId, wrapped: Buffer.from(wrapped.wrapped).toString("hex") };
}
