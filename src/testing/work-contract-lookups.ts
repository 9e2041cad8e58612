/** Contract: what decisions looked at beside their own streams makes their rows due when it moves. */
import { strict as check } from "node:assert";
import type { DraftEvent } from "../event/index.js";
import type { LookedUp, WorkClaim } from "../work/index.js";
import { appending, draftIntent } from "./drafts.js";
import { leaseOf, type Scene } from "./work-contract-scene.js";

/** Another stream of the tenant, which wakes nobody by itself. */
const place = { aggregateType: "team", aggregateId: "blue" };

async function move(scene: Scene): Promise<void> {
  const event = draftIntent({ tenantId: scene.tenantId, ...place, type: "team.change" });
  check.equal((await scene.append([appending(event)])).result, "appended");
}

const at = (version: number): LookedUp => ({ ...place, version });

/** A claim of quota on a stream that nobody else has anything to do with. */
async function claimed(scene: Scene): Promise<{ readonly claim: WorkClaim; readonly origin: DraftEvent }> {
  const origin = await scene.create();
  return { claim: await scene.claimOne(scene.quota), origin };
}

/** Whether quota is due. */
async function isDue(scene: Scene): Promise<boolean> {
  await scene.dispatch();
  return (await scene.claim(100, [scene.quota])).length > 0;
}

type Cases = Readonly<Record<string, (scene: Scene) => Promise<void>>>;

export const lookupCases: Cases = {
  "a row is due again when a stream that it looked at moves, also one that was not there": async (scene) => {
    for (const version of [0, 1, 2]) {
      const claim = version === 0 ? (await claimed(scene)).claim : await scene.claimOne(scene.quota);
      check.equal(await scene.work.lookedUp(claim, [at(version)]), true);
      await scene.work.finish(claim, { dueAfterMs: null, seenVersion: 1 });
      check.equal(await isDue(scene), false);
      await move(scene);
      await scene.dispatch();
    }
    check.equal(await isDue(scene), true);
  },
  "a timer of a row that looked at a stream is not waited for when that moves": async (scene) => {
    const { claim } = await claimed(scene);
    await scene.work.lookedUp(claim, [at(0)]);
    await scene.work.finish(claim, { dueAfterMs: 50_000, seenVersion: 1 });
    await move(scene);
    check.equal(await isDue(scene), true);
  },
  "a row is due at its end when what it looked at moved before, dispatched or not": async (scene) => {
    const { claim } = await claimed(scene);
    await move(scene);
    await scene.dispatch();
    await scene.work.lookedUp(claim, [at(0)]);
    await scene.work.finish(claim, { dueAfterMs: null, seenVersion: 1 });
    const again = await scene.claimOne(scene.quota);
    await scene.work.lookedUp(again, [at(1)]);
    await move(scene);
    await scene.work.finish(again, { dueAfterMs: null, seenVersion: 1 });
    const third = await scene.claimOne(scene.quota);
    await scene.work.lookedUp(third, [at(2)]);
    await move(scene);
    await scene.dispatch();
    await scene.work.finish(third, { dueAfterMs: null, seenVersion: 1 });
    check.equal(await isDue(scene), true);
  },
  "a row that an append closes is due when what it looked at has moved, and stays so when it ends with others": async (
    scene,
  ) => {
    const { claim, origin } = await claimed(scene);
    await scene.work.lookedUp(claim, [at(0)]);
    await move(scene);
    await scene.dispatch();
    await scene.append([scene.derived(origin, scene.quota, 1)], leaseOf(claim, null));
    await scene.work.finishTogether([{ claim, dueAfterMs: null, seenVersion: 2, isSettled: true }]);
    const again = await scene.claimOne(scene.quota);
    await scene.work.lookedUp(again, [at(1)]);
    await scene.append([scene.derived(origin, scene.quota, 2, { statusText: "{}" })], leaseOf(again, null));
    check.equal(await isDue(scene), false);
    await move(scene);
    check.equal(await isDue(scene), true);
  },
  "what a later claim does not look at wakes it no more": async (scene) => {
    const { claim } = await claimed(scene);
    await scene.work.lookedUp(claim, [at(0), { ...at(0), aggregateId: "red" }]);
    await scene.work.finish(claim, { dueAfterMs: null, seenVersion: 1 });
    await move(scene);
    const other = await scene.claimOne(scene.quota);
    await scene.work.lookedUp(other, [{ ...at(0), aggregateId: "red" }]);
    await scene.work.finish(other, { dueAfterMs: null, seenVersion: 1 });
    await move(scene);
    check.equal(await isDue(scene), false);
    await scene.change();
    await scene.work.finish(await scene.claimOne(scene.quota), { dueAfterMs: null, seenVersion: 2 });
    const event = draftIntent({ tenantId: scene.tenantId, ...place, aggregateId: "red", type: "team.change" });
    await scene.append([appending(event)]);
    check.equal(await isDue(scene), false);
  },
  "what was looked at ends no backoff and revives no dead letter": async (scene) => {
    const { claim } = await claimed(scene);
    const failure = { code: "TypeError", message: "The controller threw TypeError." };
    await scene.work.lookedUp(claim, [at(0)]);
    await scene.work.fail(claim, failure, { retryAfterMs: 700, generation: 1 });
    await move(scene);
    check.equal(await isDue(scene), false);
    await scene.wait(750);
    const again = await scene.claimOne(scene.quota);
    check.equal(again.attempt, 2);
    await scene.work.lookedUp(again, [at(1)]);
    await scene.work.fail(again, failure, { retryAfterMs: null, generation: 1 });
    await move(scene);
    check.equal(await isDue(scene), false);
    check.equal((await scene.work.deadLetters(scene.tenantId)).length, 1);
  },
  "who has lost the lease notes nothing": async (scene) => {
    const { claim } = await claimed(scene);
    await scene.work.finish(claim, { dueAfterMs: null, seenVersion: 1 });
    check.equal(await scene.work.lookedUp(claim, [at(0)]), false);
    await move(scene);
    check.equal(await isDue(scene), false);
  },
  "another tenant's stream of the same name moves nothing": async (scene) => {
    const { claim } = await claimed(scene);
    await scene.work.lookedUp(claim, [at(0)]);
    await scene.work.finish(claim, { dueAfterMs: null, seenVersion: 1 });
    const other = scene.another();
    await move(other);
    await other.dispatch();
    check.equal(await isDue(scene), false);
  },
};
