/** The part of the work table's contract that is about failures: backoffs, dead letters, what is decided on them. */
import { strict as check } from "node:assert";
import { parseUs, systemIds } from "../kernel/index.js";
import { type DeadLetterFilter, deadLetterId } from "../work/index.js";
import type { Scene } from "./work-contract-scene.js";

const failure = { code: "TypeError", message: "The controller threw TypeError." };

/** The cases by their claims. */
export const deadLetterCases: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "a failed attempt is due again after its wait, with the attempts counted": async (scene) => {
    await scene.create();
    const claim = await scene.claimOne(scene.quota);
    check.equal(await scene.work.fail(claim, failure, { retryAfterMs: 60, generation: 1 }), true);
    check.deepEqual(await scene.claim(100, [scene.quota]), []);
    await scene.wait(80);
    check.equal((await scene.claimOne(scene.quota)).attempt, 2);
  },
  "another component's event does not end a backoff": async (scene) => {
    const origin = await scene.create();
    await scene.work.fail(await scene.claimOne(scene.quota), failure, { retryAfterMs: 60_000, generation: 1 });
    await scene.append([scene.derived(origin, scene.billing, 1)]);
    await scene.dispatch();
    check.deepEqual(await scene.claim(100, [scene.quota]), []);
  },
  "a new generation ends a backoff and forgets the attempts": async (scene) => {
    await scene.create();
    await scene.work.fail(await scene.claimOne(scene.quota), failure, { retryAfterMs: 60_000, generation: 1 });
    await scene.change();
    check.equal((await scene.claimOne(scene.quota)).attempt, 1);
  },
  "a dead letter blocks only its stream and component, and is listed": async (scene) => {
    await scene.create();
    await scene.create("other");
    await scene.dispatch();
    const dead = (await scene.claim()).find(
      ({ aggregateId, component }) => aggregateId === "acme" && component === scene.quota,
    );
    check.ok(dead !== undefined);
    await scene.work.fail(dead, failure, { retryAfterMs: null, generation: 1 });
    const letters = await scene.work.deadLetters(scene.tenantId);
    check.equal(letters.length, 1);
    const { since, ...letter } = letters[0] ?? {};
    const { leaseToken, attempt, isAbandoned: _isAbandoned, ...key } = dead;
    const resource = { aggregateType: "organization", aggregateId: "acme" };
    const told = { attempts: attempt, failure, codeVersion: "v1", generation: 1, waiting: 0 };
    check.deepEqual(letter, { ...key, id: deadLetterId(dead), resource, ...told });
    check.deepEqual(await scene.work.deadLetter(scene.tenantId, deadLetterId(dead)), letters[0]);
    check.equal(await scene.work.deadLetter(scene.tenantId, systemIds.uuid4()), undefined);
    check.match(String(since), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    check.ok(leaseToken.length > 0);
  },
  "dead letters are counted by component, over all tenants": async (scene) => {
    await scene.create();
    await scene.create("other");
    await scene.dispatch();
    const claims = (await scene.claim()).filter(({ component }) => component === scene.quota);
    for (const claim of claims) await scene.work.fail(claim, failure, { retryAfterMs: null, generation: 1 });
    const standing = (await scene.work.standing()).filter(({ component }) => scene.components.includes(component));
    check.deepEqual(standing, [{ component: scene.quota, state: "dead", count: 2 }]);
  },
  "a row that is woken by name is due then, or when it was due before": async (scene) => {
    const { work, tenantId, quota: component } = scene;
    const key = { tenantId, aggregateType: "organization", aggregateId: "acme", component };
    await work.wake(key, { dueAfterMs: 40 });
    await work.wake(key, { dueAfterMs: 60_000 });
    check.deepEqual(await scene.claim(100, [component]), []);
    await scene.wait(60);
    const [claim, ...others] = await scene.claim(100, [component]);
    check.ok(claim !== undefined && others.length === 0);
    await work.wake(key, { dueAfterMs: 0 });
    check.deepEqual(await scene.claim(100, [component]), []);
    check.equal(await work.finish(claim, { dueAfterMs: null, seenVersion: 0 }), true);
    check.equal(await work.nextDueMs([component]), null);
    await work.wake(key, { dueAfterMs: 0 });
    const again = await scene.claim(100, [component]);
    check.equal(again.length, 1);
    for (const one of again) await work.fail(one, failure, { retryAfterMs: null, generation: 1 });
    await work.wake(key, { dueAfterMs: 0 });
    check.deepEqual(await scene.claim(100, [component]), []);
    check.equal((await work.deadLetters(tenantId)).length, 1);
  },
  "a redriven dead letter is due with fresh attempts": async (scene) => {
    await scene.create();
    const claim = await scene.claimOne(scene.quota);
    await scene.work.fail(claim, failure, { retryAfterMs: null, generation: 1 });
    await scene.decide("dead-letter.redriven", claim);
    check.equal((await scene.claimOne(scene.quota)).attempt, 1);
    check.deepEqual(await scene.work.deadLetters(scene.tenantId), []);
  },
  "a redriven dead letter is due after the delay that the decision gives": async (scene) => {
    await scene.create();
    const claim = await scene.claimOne(scene.quota);
    await scene.work.fail(claim, failure, { retryAfterMs: null, generation: 1 });
    await scene.decide("dead-letter.redriven", claim, { delayMs: 80 });
    await scene.dispatch();
    check.deepEqual(await scene.claim(100, [scene.quota]), []);
    const dueMs = await scene.work.nextDueMs([scene.quota]);
    check.ok(dueMs !== null && dueMs > 0 && dueMs <= 80, `due in ${dueMs}`);
    await scene.wait(100);
    check.equal((await scene.claimOne(scene.quota)).attempt, 1);
  },
  "dead letters are told apart by every member of a filter, and counted in groups": async (scene) => {
    const { tenantId, work, quota, billing } = scene;
    const dead: string[] = [];
    for (const id of ["a", "b", "c"]) await scene.create(id);
    await scene.dispatch();
    for (const claim of await scene.claim()) {
      const code = claim.aggregateId === "c" ? "RangeError" : "TypeError";
      await work.fail(claim, { code, message: "…" }, { retryAfterMs: null, generation: 1 });
      dead.push(deadLetterId(claim));
    }
    const letters = await work.deadLetters(tenantId);
    check.deepEqual(letters.map(({ id }) => id).sort(), dead.sort());
    const sinceUs = letters.map(({ since }) => parseUs(since) ?? 0).sort((x, y) => x - y);
    const count = async (filter: DeadLetterFilter): Promise<number> =>
      (await work.deadLetters(tenantId, filter)).length;
    check.equal(await count({ component: quota }), 3);
    check.equal(await count({ code: "TypeError" }), 4);
    check.equal(await count({ code: "TypeError", component: quota, aggregateId: "b" }), 1);
    check.equal(await count({ aggregateType: "organization", aggregateId: "a" }), 2);
    check.equal(await count({ aggregateType: "team" }), 0);
    check.deepEqual([await count({ codeVersion: "v1" }), await count({ codeVersion: "v2" })], [6, 0]);
    check.equal(await count({ sinceFromUs: sinceUs[0] ?? 0 }), 6);
    check.equal(await count({ sinceBeforeUs: sinceUs[0] ?? 0 }), 0);
    check.equal(await count({ sinceFromUs: (sinceUs[5] ?? 0) + 1 }), 0);
    check.equal((await work.deadLetters(tenantId, {}, { limit: 2 })).length, 2);
    const groups = await work.deadLetterGroups(tenantId);
    check.deepEqual(
      groups.map(({ component, code, codeVersion, count: n }) => [component, code, codeVersion, n]),
      [
        [billing, "TypeError", "v1", 2],
        [quota, "TypeError", "v1", 2],
        [billing, "RangeError", "v1", 1],
        [quota, "RangeError", "v1", 1],
      ],
    );
    check.ok(groups.every(({ oldest, newest }) => oldest <= newest));
    check.deepEqual((await work.deadLetterGroups(tenantId, { code: "RangeError" })).length, 2);
  },
  "what happens to a resource after a dead letter is counted as waiting behind it": async (scene) => {
    const origin = await scene.create();
    const claim = await scene.claimOne(scene.quota);
    await scene.work.fail(claim, failure, { retryAfterMs: null, generation: 1 });
    await scene.append([scene.derived(origin, scene.billing, 1)]);
    await scene.dispatch();
    check.equal((await scene.work.deadLetters(scene.tenantId))[0]?.waiting, 1);
  },
  "a discarded dead letter is gone and stays idle until something wakes it": async (scene) => {
    const origin = await scene.create();
    const claim = await scene.claimOne(scene.quota);
    await scene.work.fail(claim, failure, { retryAfterMs: null, generation: 1 });
    await scene.decide("dead-letter.discarded", claim);
    await scene.dispatch();
    check.deepEqual(await scene.claim(100, [scene.quota]), []);
    check.deepEqual(await scene.work.deadLetters(scene.tenantId), []);
    await scene.append([scene.derived(origin, scene.billing, 1)]);
    await scene.claimOne(scene.quota);
  },
  "an event of the same generation leaves a dead letter, a newer generation supersedes it": async (scene) => {
    const origin = await scene.create();
    await scene.work.fail(await scene.claimOne(scene.quota), failure, { retryAfterMs: null, generation: 1 });
    await scene.append([scene.derived(origin, scene.billing, 1)]);
    await scene.dispatch();
    check.equal((await scene.work.deadLetters(scene.tenantId)).length, 1);
    await scene.change();
    check.equal((await scene.claimOne(scene.quota)).attempt, 1);
    check.deepEqual(await scene.work.deadLetters(scene.tenantId), []);
  },
  "a failure at a generation that is not known is superseded by none, only redriven": async (scene) => {
    await scene.create();
    const claim = await scene.claimOne(scene.quota);
    await scene.work.fail(claim, failure, { retryAfterMs: null, generation: null });
    await scene.change();
    await scene.dispatch();
    check.equal((await scene.work.deadLetters(scene.tenantId))[0]?.generation, 0);
    check.deepEqual(await scene.claim(100, [scene.quota]), []);
    await scene.decide("dead-letter.redriven", claim);
    await scene.claimOne(scene.quota);
  },
  "a failure of an old generation makes no dead letter once a newer one has woken the row": async (scene) => {
    await scene.create();
    const claim = await scene.claimOne(scene.quota);
    await scene.change();
    await scene.dispatch();
    await scene.work.fail(claim, failure, { retryAfterMs: null, generation: 1 });
    check.deepEqual(await scene.work.deadLetters(scene.tenantId), []);
    check.equal((await scene.claimOne(scene.quota)).attempt, 1);
  },
};
