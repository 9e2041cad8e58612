/** Contract: every effect on every lifecycle (DESIGN §13.3). */
import { strict as check } from "node:assert";
import type { Lifecycle } from "../event/index.js";
import type { TenantId } from "../kernel/index.js";
import type { AppendItem, LifecycleEffect } from "../store/index.js";
import { appending, creating, draftDerived, draftIntent, draftSystemFact, newTenantId } from "./drafts.js";
import { checkRefused, defined, type StoreFixture } from "./store-contract-fixture.js";
import type { TestRunner } from "./test-runner.js";

/** Declares the tests. */
export function lifecycleContract({ describe, it }: TestRunner, store: StoreFixture): void {
  describe("lifecycle", () => {
    transitionTests(it, store);
    deleteTests(it, store);
    recreateTests(it, store);
  });
}

type It = TestRunner["it"];
const effects = ["creates", "updates", "deletes", "system", "derived", "finishes"] as const;

/** What the store must answer: a refusal, no change, or the next lifecycle and by how much the generation grows. */
type Answer = string | readonly [lifecycle: Lifecycle, generations: number];

const table: Readonly<Record<Lifecycle, Readonly<Record<LifecycleEffect, Answer>>>> = {
  none: {
    creates: ["live", 1],
    updates: ["live", 1],
    deletes: "wrong_expected_version",
    system: ["none", 0],
    derived: "wrong_expected_version",
    finishes: "wrong_expected_version",
  },
  live: {
    creates: "resource_exists",
    updates: ["live", 1],
    deletes: ["deleting", 1],
    system: ["live", 0],
    derived: ["live", 0],
    finishes: "wrong_expected_version",
  },
  deleting: {
    creates: "resource_deleting",
    updates: "resource_deleting",
    deletes: "unchanged",
    system: ["deleting", 0],
    derived: ["deleting", 0],
    finishes: ["deleted", 0],
  },
  deleted: {
    creates: ["live", 1],
    updates: "resource_deleted",
    deletes: "unchanged",
    system: ["deleted", 0],
    derived: ["deleted", 0],
    finishes: "wrong_expected_version",
  },
};
const lifecycles = ["none", "live", "deleting", "deleted"] as const;

/** One event of this effect on the stream organization/acme. */
function itemOf(tenantId: TenantId, effect: LifecycleEffect, options: Partial<AppendItem> = {}): AppendItem {
  const intent = draftIntent({ tenantId, aggregateId: "acme", type: `organization.${effect}` });
  if (effect === "derived" || effect === "finishes") return appending(draftDerived(intent), { effect, ...options });
  if (effect === "system") {
    const fact = draftSystemFact({
      tenantId,
      aggregateType: "organization",
      aggregateId: "acme",
      type: "organization.noted",
    });
    return appending(fact, { effect, ...options });
  }
  return appending(intent, { effect, ...options });
}

/** A new tenant whose stream organization/acme is in this lifecycle; with a system fact first when `noted`. */
async function tenantWith(store: StoreFixture, lifecycle: Lifecycle, noted = false): Promise<TenantId> {
  const tenantId = newTenantId();
  if (noted) await store.appended(itemOf(tenantId, "system"));
  const way = (["creates", "deletes", "finishes"] as const).slice(0, lifecycles.indexOf(lifecycle));
  for (const effect of way) await store.appended(itemOf(tenantId, effect));
  return tenantId;
}

function transitionTests(it: It, store: StoreFixture): void {
  for (const lifecycle of lifecycles) {
    for (const effect of effects) {
      const answer = table[lifecycle][effect];
      it(`${effect} on ${lifecycle}: ${typeof answer === "string" ? answer : answer[0]}`, async () => {
        for (const noted of [false, true]) {
          const tenantId = await tenantWith(store, lifecycle, noted);
          await checkTransition(store, { tenantId, effect, answer });
        }
      });
    }
  }
}

async function checkTransition(
  store: StoreFixture,
  { tenantId, effect, answer }: { tenantId: TenantId; effect: LifecycleEffect; answer: Answer },
): Promise<void> {
  const before = await store.log(tenantId);
  const last = before.at(-1);
  const found = {
    version: last?.version ?? 0,
    generation: last?.generation ?? 0,
    lifecycle: last?.lifecycle ?? "none",
  };
  const outcome = await store.append(itemOf(tenantId, effect));
  const after = await store.log(tenantId);
  if (typeof answer !== "string") {
    check.equal(outcome.result, "appended");
    const row = defined(after.at(-1));
    check.deepEqual(
      [row.version, row.lifecycle, row.generation],
      [found.version + 1, answer[0], found.generation + answer[1]],
    );
    return;
  }
  check.equal(after.length, before.length, "nothing is added");
  if (answer !== "unchanged") check.deepEqual(outcome, { result: "refused", code: answer, index: 0, current: found });
  else check.equal(outcome.result === "appended" ? outcome.receipts[0]?.id : outcome.result, last?.id);
}

function deleteTests(it: It, store: StoreFixture): void {
  it("answers a delete of what is being deleted with the stream's last event, whatever it expects, and forgets its id", async () => {
    const tenantId = await tenantWith(store, "deleting");
    const stale = itemOf(tenantId, "deletes", { expectedVersion: 1, expectedGeneration: 1 });
    const [receipt] = await store.appended(stale);
    const last = defined((await store.log(tenantId)).at(-1));
    check.deepEqual([receipt?.id, receipt?.version, receipt?.position], [last.id, 2, 2]);
    check.deepEqual(await store.reader.readByIds(tenantId, [stale.event.id]), []);
  });

  it("answers the second delete of one append with the receipt of the first", async () => {
    const tenantId = await tenantWith(store, "live");
    const receipts = await store.appended(itemOf(tenantId, "deletes"), itemOf(tenantId, "deletes"));
    check.deepEqual(receipts[1], receipts[0]);
    check.equal((await store.log(tenantId)).length, 2);
  });

  it("adds the other events of an append whose delete changes nothing", async () => {
    const tenantId = await tenantWith(store, "deleted");
    const receipts = await store.appended(itemOf(tenantId, "deletes"), creating(draftIntent({ tenantId })));
    check.deepEqual(
      receipts.map(({ position }) => position),
      [3, 4],
    );
  });
}

function recreateTests(it: It, store: StoreFixture): void {
  it("opens the next generation of the same stream when a deleted resource is created again", async () => {
    const tenantId = await tenantWith(store, "deleted");
    checkRefused(
      await store.append(itemOf(tenantId, "creates", { expectedVersion: "noStream" })),
      "wrong_expected_version",
    );
    const [receipt] = await store.appended(itemOf(tenantId, "creates", { expectedGeneration: 2 }));
    check.deepEqual([receipt?.version, receipt?.generation], [4, 3]);
  });

  it("counts intents and facts with a source as generations, and nothing else", async () => {
    const tenantId = newTenantId();
    const stream = { tenantId, aggregateId: "acme" };
    await store.appended(itemOf(tenantId, "system"));
    await store.appended(itemOf(tenantId, "creates"));
    await store.appended(appending(draftIntent({ ...stream, kind: "fact", source: "github" })));
    await store.appended(itemOf(tenantId, "derived"));
    check.deepEqual(
      (await store.log(tenantId)).map(({ generation }) => generation),
      [0, 1, 2, 2],
    );
  });
}
