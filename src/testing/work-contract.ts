/**
 * The contract suite of the work table: every adapter of src/work/port.ts passes it.
 *
 * Each test works with tenants, aggregates and components of its own, so one table serves the whole suite. `open` gives a
 * table over a log that the suite writes through the appenders; `waitMs` lets time pass on the table's clock.
 */
import { strict as check } from "node:assert";
import { mutate } from "../event/index.js";
import { systemIds } from "../kernel/index.js";
import { creating, draftEmitted, draftIntent } from "./drafts.js";
import type { TestRunner } from "./test-runner.js";
import { controllerCases } from "./work-contract-controllers.js";
import { deadLetterCases } from "./work-contract-dead-letters.js";
import { effectCases } from "./work-contract-effects.js";
import { lookupCases } from "./work-contract-lookups.js";
import { leaseMs, leaseOf, Scene, type WorkUnderTest } from "./work-contract-scene.js";

type Cases = Readonly<Record<string, (scene: Scene, under: WorkUnderTest) => Promise<void>>>;

const failure = { code: "TypeError", message: "The controller threw TypeError." };

const dispatching: Cases = {
  "an intent wakes every component that watches its aggregate": async (scene) => {
    await scene.create();
    check.deepEqual(await scene.dueComponents(), [scene.billing, scene.quota]);
  },
  "an intent wakes every component that it expects, also one that the dispatching process does not know": async (
    scene,
  ) => {
    await scene.create();
    const [known] = scene.watches;
    check.ok(known !== undefined);
    await scene.work.dispatch([known], scene.tenantId);
    check.deepEqual((await scene.claim()).map(({ component }) => component).sort(), [scene.billing, scene.quota]);
  },
  "an event is dispatched once": async (scene) => {
    await scene.create();
    check.equal(await scene.dispatch(), 1);
    check.equal(await scene.dispatch(), 0);
  },
  "dispatch without a hint finds the tenant": async (scene) => {
    await scene.create();
    for (let round = 0; round < 50; round++) if (!(await scene.work.dispatch(scene.watches)).more) break;
    check.equal((await scene.claim()).length, 2);
  },
  "an event of another aggregate type wakes nobody": async (scene) => {
    const event = draftIntent({
      tenantId: scene.tenantId,
      aggregateType: "team",
      type: "team.create",
      finalizersText: '{"x":{"completed":false,"observedGeneration":0}}',
    });
    await scene.append([creating(event)]);
    check.deepEqual(await scene.dueComponents(), []);
  },
  "a derived event wakes the others, not its maker": async (scene) => {
    const origin = await scene.create();
    await scene.dispatch();
    for (const claim of await scene.claim()) await scene.work.finish(claim, { dueAfterMs: null, seenVersion: 1 });
    await scene.append([scene.derived(origin, scene.quota, 1)]);
    check.deepEqual(await scene.dueComponents(), [scene.billing]);
  },
  "an emitted intent wakes all who watch its resource, its maker too; an emit on the own resource wakes nobody": async (
    scene,
  ) => {
    const origin = await scene.create();
    await scene.dispatch();
    for (const claim of await scene.claim()) await scene.work.finish(claim, { dueAfterMs: null, seenVersion: 1 });
    await scene.append([scene.derived(origin, `emit:${scene.quota}`, 1)]);
    check.deepEqual(await scene.dueComponents(), []);
    const decision = { component: `emit:${scene.quota}`, basisVersion: 9, step: 0, now: "2026-01-01T00:00:01.000000Z" };
    const { aggregateType } = origin;
    const place = { aggregateType, aggregateId: "beta", type: `${aggregateType}.create` };
    await scene.append([creating(draftEmitted(origin, { ...place, decision }))]);
    check.deepEqual(await scene.dueComponents(), [scene.billing, scene.quota]);
  },
  "an ask wakes nobody; what became of it wakes the controller that asked, known here or not": async (scene) => {
    const origin = await scene.create();
    await scene.dispatch();
    for (const claim of await scene.claim()) await scene.work.finish(claim, { dueAfterMs: null, seenVersion: 1 });
    const specText = JSON.stringify({ controller: scene.quota, worker: "customer", input: {} });
    const asked = scene.derived(origin, "ask:customer", 1, { specText });
    await scene.append([asked]);
    check.deepEqual(await scene.dueComponents(), []);
    const ask = { ...asked.event, version: 2 };
    const now = "2026-01-01T00:00:02.000000Z";
    const unknown = { code: "effect_timeout", message: "No answer." };
    await scene.append([mutate.effectNews(ask, "customer", { unknown, retries: 0, now })]);
    await scene.dispatch();
    const [held, ...others] = await scene.claim();
    check.deepEqual([held?.component, others], [scene.quota, []]);
    check.ok(held !== undefined);
    await scene.work.finish(held, { dueAfterMs: null, seenVersion: 3 });
    await scene.append([mutate.effectNews(ask, "customer", { result: { ok: {} }, now })]);
    await scene.work.dispatch([], scene.tenantId);
    check.deepEqual(await scene.dueComponents(), [scene.quota]);
  },
  "facts of the runtime and dead letters wake nobody": async (scene) => {
    const origin = await scene.create();
    await scene.dispatch();
    for (const claim of await scene.claim()) await scene.work.finish(claim, { dueAfterMs: null, seenVersion: 1 });
    await scene.append([scene.derived(origin, "runtime", 1, { type: "organization.ready" })]);
    await scene.append([
      scene.derived(origin, `dead-letter:${scene.quota}`, 2, { type: "organization.dead-lettered" }),
    ]);
    check.deepEqual(await scene.dueComponents(), []);
  },
  "an event that a component has decided on does not wake it": async (scene) => {
    const origin = await scene.create();
    const claim = await scene.claimOne(scene.quota);
    await scene.append([scene.derived(origin, scene.billing, 1)]);
    const outcome = await scene.append([scene.derived(origin, scene.quota, 2)], leaseOf(claim, null));
    check.equal(outcome.result, "appended");
    await scene.dispatch();
    check.deepEqual(await scene.claim(100, [scene.quota]), []);
  },
  "a generation that nobody is expected to complete wakes the component runtime": async (scene) => {
    const event = draftIntent({ tenantId: scene.tenantId, finalizersText: "{}" });
    await scene.append([creating(event)]);
    await scene.dispatch();
    const claims = await scene.claim(100, ["runtime"]);
    check.deepEqual(
      claims.filter(({ tenantId }) => tenantId === scene.tenantId).map(({ component }) => component),
      ["runtime"],
    );
    for (const claim of claims) await scene.work.finish(claim, { dueAfterMs: null, seenVersion: 1 });
  },
  "nobody works on a deleted stream, not even by a timer; a new life wakes again": async (scene) => {
    const origin = await scene.create();
    for (const component of scene.components) {
      await scene.work.finish(await scene.claimOne(component), { dueAfterMs: 50, seenVersion: 1 });
    }
    const deletion = draftIntent({
      tenantId: scene.tenantId,
      aggregateId: "acme",
      type: "organization.delete",
      finalizersText: origin.finalizersText,
    });
    await scene.append([{ event: deletion, effect: "deletes", expectedVersion: "streamExists" }]);
    const end = scene.derived(deletion, "runtime", 2, { type: "organization.deleted" });
    check.equal((await scene.append([{ ...end, effect: "finishes" }])).result, "appended");
    await scene.wait(60);
    check.deepEqual(await scene.dueComponents(), []);
    await scene.create();
    check.deepEqual(await scene.dueComponents(), [scene.billing, scene.quota]);
  },
};

const finishingTogether: Cases = {
  "claims that end together are seen up to their versions, the settled one too": async (scene) => {
    const origin = await scene.create();
    await scene.dispatch();
    const claims = await scene.claim();
    const settled = claims.find(({ component }) => component === scene.quota);
    check.ok(settled !== undefined);
    const items = [scene.derived(origin, scene.billing, 1), scene.derived(origin, scene.quota, 2)];
    check.equal((await scene.append(items, leaseOf(settled, null))).result, "appended");
    const ends = claims.map((claim) => ({
      claim,
      dueAfterMs: null,
      seenVersion: 3,
      isSettled: claim === settled,
    }));
    check.equal((await scene.work.finishTogether(ends)).length, 2);
    check.deepEqual(await scene.dueComponents(), []);
  },
  "a claim that ends together with others is due again when it has not seen everything, or when its time has come":
    async (scene) => {
      const origin = await scene.create();
      await scene.dispatch();
      const claims = await scene.claim();
      await scene.append([scene.derived(origin, scene.billing, 1)]);
      await scene.dispatch();
      const ends = claims.map((claim) => {
        const isQuota = claim.component === scene.quota;
        return { claim, dueAfterMs: isQuota ? null : 50, seenVersion: isQuota ? 1 : 2, isSettled: false };
      });
      check.equal((await scene.work.finishTogether(ends)).length, 2);
      check.deepEqual(
        (await scene.claim()).map(({ component }) => component),
        [scene.quota],
      );
      await scene.wait(60);
      check.deepEqual(
        (await scene.claim()).map(({ component }) => component),
        [scene.billing],
      );
    },
  "a lost lease does not end with the others, and a settled row that somebody has taken up since is left to him":
    async (scene) => {
      await scene.create();
      await scene.dispatch();
      const [held, lost] = await scene.claim();
      check.ok(held !== undefined && lost !== undefined);
      const other = { ...lost, leaseToken: systemIds.uuid4() };
      const end = { dueAfterMs: null, seenVersion: 1, isSettled: false };
      const ended = await scene.work.finishTogether([
        { ...end, claim: held },
        { ...end, claim: other },
      ]);
      check.deepEqual(ended, [held]);
      await scene.work.finishTogether([{ ...end, claim: other, isSettled: true }]);
      check.deepEqual(await scene.work.extend([lost], leaseMs), [lost]);
    },
};

const leasing: Cases = {
  "a row is leased to one claimer and counts the attempt": async (scene) => {
    await scene.create();
    const claim = await scene.claimOne(scene.quota);
    check.equal(claim.attempt, 1);
    check.deepEqual(await scene.claim(100, [scene.quota]), []);
  },
  "two claimers at once never get the same row": async (scene) => {
    for (let n = 0; n < 20; n++) await scene.create(`acme-${n}`);
    await scene.dispatch();
    const batches = await Promise.all([1, 2, 3, 4].map(() => scene.claim(15)));
    const tokens = batches.flat().map(({ aggregateId, component }) => `${aggregateId} ${component}`);
    check.equal(new Set(tokens).size, tokens.length);
    const rest = await scene.claim();
    check.equal(tokens.length + rest.length, 40);
  },
  "a lease that ended is claimable again and its holder has lost it": async (scene) => {
    const origin = await scene.create();
    await scene.dispatch();
    const [late] = await scene.work.claim({ components: [scene.quota], limit: 1, leaseMs: 30 });
    check.ok(late !== undefined);
    await scene.wait(40);
    const again = await scene.claimOne(scene.quota);
    check.equal(again.attempt, 2);
    check.equal(await scene.work.finish(late, { dueAfterMs: null, seenVersion: 1 }), false);
    check.equal(await scene.work.fail(late, failure, { retryAfterMs: 1, generation: 1 }), false);
    check.equal(await scene.work.release(late, { dueAfterMs: 0 }), false);
    check.deepEqual(await scene.work.extend([late], leaseMs), []);
    const outcome = await scene.append([scene.derived(origin, scene.quota, 1)], leaseOf(late, null));
    check.equal(outcome.result === "refused" ? outcome.code : outcome.result, "lease_lost");
  },
  "a prolonged lease is not claimable when it would have ended": async (scene) => {
    await scene.create();
    await scene.dispatch();
    const claims = await scene.work.claim({ components: [scene.quota], limit: 1, leaseMs: 100 });
    check.equal((await scene.work.extend(claims, leaseMs)).length, 1);
    await scene.wait(120);
    check.deepEqual(await scene.claim(100, [scene.quota]), []);
  },
  "the backlog counts what is due and not leased": async (scene) => {
    await scene.create();
    check.equal((await scene.work.backlog([scene.quota])).rows, 0);
    await scene.dispatch();
    await scene.wait(30);
    const { rows, oldestSeconds } = await scene.work.backlog([scene.quota, scene.billing]);
    check.equal(rows, 2);
    check.ok(oldestSeconds >= 0.02 && oldestSeconds < 60, `oldest is ${oldestSeconds} s`);
    await scene.claimOne(scene.quota);
    check.deepEqual(await scene.work.backlog([scene.quota]), { rows: 0, oldestSeconds: 0 });
  },
  "an append settles its row in the same step: closed, or due at the time it asked for": async (scene) => {
    const origin = await scene.create();
    const first = await scene.claimOne(scene.quota);
    check.equal((await scene.append([scene.derived(origin, scene.quota, 1)], leaseOf(first, 80))).result, "appended");
    check.deepEqual(await scene.claim(100, [scene.quota]), []);
    const dueMs = await scene.work.nextDueMs([scene.quota]);
    check.ok(dueMs !== null && dueMs > 0 && dueMs <= 80, `due in ${dueMs}`);
    await scene.wait(100);
    const second = await scene.claimOne(scene.quota);
    check.equal(second.attempt, 1);
    check.equal(
      (await scene.append([scene.derived(origin, scene.quota, 2, { statusText: "{}" })], leaseOf(second, null))).result,
      "appended",
    );
    check.equal(await scene.work.nextDueMs([scene.quota]), null);
  },
  "a refused append leaves the lease": async (scene) => {
    const origin = await scene.create();
    const claim = await scene.claimOne(scene.quota);
    await scene.append([scene.derived(origin, scene.billing, 1)]);
    const stale = await scene.append([scene.derived(origin, scene.quota, 1)], leaseOf(claim, null));
    check.equal(stale.result === "refused" ? stale.code : stale.result, "wrong_expected_version");
    check.equal((await scene.append([scene.derived(origin, scene.quota, 2)], leaseOf(claim, null))).result, "appended");
  },
  "a row woken since its claim by an event that was not seen stays due": async (scene) => {
    await scene.create();
    const claim = await scene.claimOne(scene.quota);
    await scene.change();
    await scene.dispatch();
    check.equal(await scene.work.finish(claim, { dueAfterMs: null, seenVersion: 1 }), true);
    const again = await scene.claimOne(scene.quota);
    await scene.work.finish(again, { dueAfterMs: null, seenVersion: 2 });
    check.deepEqual(await scene.claim(100, [scene.quota]), []);
  },
  "a row woken since its claim by an event that was seen is closed": async (scene) => {
    await scene.create();
    const claim = await scene.claimOne(scene.quota);
    await scene.change();
    await scene.dispatch();
    await scene.work.finish(claim, { dueAfterMs: null, seenVersion: 2 });
    check.deepEqual(await scene.claim(100, [scene.quota]), []);
  },
  "a row that was claimed after an event but decided on without it stays due": async (scene) => {
    await scene.create();
    await scene.change();
    const claim = await scene.claimOne(scene.quota);
    check.equal(await scene.work.finish(claim, { dueAfterMs: null, seenVersion: 1 }), true);
    const again = await scene.claimOne(scene.quota);
    await scene.work.finish(again, { dueAfterMs: null, seenVersion: 2 });
    check.deepEqual(await scene.claim(100, [scene.quota]), []);
  },
  "a released row is due again and the attempt was not counted": async (scene) => {
    await scene.create();
    await scene.work.release(await scene.claimOne(scene.quota), { dueAfterMs: 0 });
    check.equal((await scene.claimOne(scene.quota)).attempt, 1);
  },
  "one tenant with many due rows does not starve another": async (scene, under) => {
    const other = new Scene(under, scene);
    for (let n = 0; n < 60; n++) await scene.create(`acme-${n}`);
    await scene.dispatch();
    await other.create();
    await other.dispatch();
    const first = await scene.claim(10);
    const second = await scene.claim(10);
    const served = [...first, ...second].filter(({ tenantId }) => tenantId === other.tenantId);
    check.equal(served.length, 2);
    check.ok(first.length + second.length >= 10);
  },
};

const allCases: Cases = {
  ...dispatching,
  ...finishingTogether,
  ...leasing,
  ...deadLetterCases,
  ...effectCases,
  ...lookupCases,
  ...controllerCases,
};

/** Declares the suite for one adapter. */
export function workContract(runner: TestRunner, name: string, open: () => Promise<WorkUnderTest>): void {
  runner.describe(`work contract: ${name}`, () => {
    let under: WorkUnderTest | undefined;
    runner.beforeAll(async () => {
      under = await open();
    });
    runner.afterAll(async () => under?.close());
    for (const [claim, body] of Object.entries(allCases)) {
      runner.it(claim, async () => {
        check.ok(under !== undefined);
        await body(new Scene(under), under);
      });
    }
  });
}
