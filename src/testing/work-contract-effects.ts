/** The part of the work table's contract that is about effects: rows by asks, decisions, results and abandoned leases. */
import { strict as check } from "node:assert";
import { mutate } from "../event/index.js";
import { systemIds } from "../kernel/index.js";
import { type EffectAsker, type EffectChange, effectRowType, heldCode, type WorkClaim } from "../work/index.js";
import { draftSystemFact, newEventId } from "./drafts.js";
import { leaseMs, leaseOf, Scene, type WorkUnderTest } from "./work-contract-scene.js";

type Cases = Readonly<Record<string, (effects: EffectScene) => Promise<void>>>;

const failure = { code: "Error", message: "Worker customer threw Error." };

/** A resource of this name in a generation. */
function askerOf(aggregateId: string, generation = 1): EffectAsker {
  return { aggregateType: "organization", aggregateId, generation };
}

/** A worker that no other test has, and asks of it. */
class EffectScene {
  readonly scene: Scene;
  readonly worker: string = `customer-${systemIds.uuid4().slice(0, 8)}`;
  readonly component: string = `effect:${this.worker}`;
  #position = 0;

  constructor(under: WorkUnderTest, like?: EffectScene) {
    this.scene = new Scene(under);
    if (like !== undefined) {
      this.worker = like.worker;
      this.component = like.component;
    }
  }

  /** Dispatches changes at the next positions of the tenant's log. */
  async dispatch(
    ...changes: readonly (Pick<EffectChange, "change" | "askId"> & { readonly asker?: EffectAsker })[]
  ): Promise<boolean> {
    const from = this.#position;
    this.#position += Math.max(1, changes.length);
    const to = { logEpoch: 1, position: this.#position, hash: new Uint8Array(32).fill(this.#position) };
    const placed = changes.map(({ change, askId, asker = askerOf(askId) }, at): EffectChange => {
      const place = { askId, component: this.component, position: from + at + 1 };
      return change === "asked" ? { ...place, change, asker } : { ...place, change };
    });
    return this.scene.work.dispatchEffects(this.scene.tenantId, { from, to, changes: placed });
  }

  /** @param asker by default one that has asked for nothing else */
  async ask(asker?: EffectAsker): Promise<string> {
    const askId = newEventId();
    check.equal(await this.dispatch({ change: "asked", askId, asker: asker ?? askerOf(askId) }), true);
    return askId;
  }

  /** Gives up the effect of the only row that is due. */
  async bury(): Promise<WorkClaim> {
    const claim = await this.claimOne();
    await this.scene.work.fail(claim, failure, { retryAfterMs: null, generation: null });
    return claim;
  }

  claim(limit = 10, ms = leaseMs): Promise<readonly WorkClaim[]> {
    return this.scene.work.claim({ components: [this.component], limit, leaseMs: ms });
  }

  async claimOne(ms = leaseMs): Promise<WorkClaim> {
    const claims = await this.claim(10, ms);
    check.equal(claims.length, 1);
    const [claim] = claims;
    check.ok(claim !== undefined);
    return claim;
  }

  hold(claim: WorkClaim): Promise<boolean> {
    const { work } = this.scene;
    return work.fail(claim, { code: heldCode, message: "Nobody knows." }, { retryAfterMs: null, generation: null });
  }

  async states(): Promise<readonly string[]> {
    return (await this.scene.work.effects(this.scene.tenantId)).map(({ state }) => state);
  }
}

const cases: Cases = {
  "an ask is a row of its own, claimed by its worker alone and counted": async (effects) => {
    const askId = await effects.ask();
    const { scene, component } = effects;
    check.deepEqual(await scene.claim(), []);
    check.deepEqual(await effects.states(), ["waiting"]);
    const claim = await effects.claimOne();
    const { leaseToken: _leaseToken, ...rest } = claim;
    const key = { tenantId: scene.tenantId, aggregateType: effectRowType, aggregateId: askId, component };
    check.deepEqual(rest, { ...key, attempt: 1, isAbandoned: false });
    check.deepEqual(await effects.states(), ["running"]);
    check.deepEqual(await effects.claim(), []);
  },
  "the place of a log moves with its changes, once: who comes second does nothing": async (effects) => {
    const { work, tenantId } = effects.scene;
    check.equal(await work.effectPlace(tenantId), undefined);
    const askId = await effects.ask();
    const again = {
      change: "asked",
      askId: newEventId(),
      component: effects.component,
      position: 1,
      asker: askerOf("again"),
    } as const;
    const to = { logEpoch: 1, position: 9, hash: new Uint8Array(32) };
    check.equal(await work.dispatchEffects(tenantId, { from: 0, to, changes: [again] }), false);
    const place = await work.effectPlace(tenantId);
    check.deepEqual([place?.logEpoch, place?.position], [1, 1]);
    check.equal(Buffer.compare(place?.hash ?? Buffer.alloc(0), Buffer.alloc(32, 1)), 0);
    check.deepEqual(
      (await effects.claim()).map(({ aggregateId }) => aggregateId),
      [askId],
    );
  },
  "a tenant has news for workers until its place is the head of its log": async (effects) => {
    const { scene } = effects;
    await scene.create();
    const isListed = async (): Promise<boolean> =>
      (await scene.work.tenantsWithEffects("", 1_000)).includes(scene.tenantId);
    check.equal(await isListed(), true);
    await effects.dispatch();
    check.equal(await isListed(), false);
  },
  "an ask that is dispatched again changes nothing": async (effects) => {
    const askId = await effects.ask();
    const claim = await effects.claimOne();
    await effects.dispatch({ change: "asked", askId });
    check.deepEqual(await effects.claim(), []);
    check.deepEqual(await effects.scene.work.extend([claim], leaseMs), [claim]);
  },
  "a result ends the row, whoever holds it": async (effects) => {
    const askId = await effects.ask();
    const claim = await effects.claimOne();
    await effects.dispatch({ change: "ended", askId });
    check.deepEqual(await effects.states(), []);
    check.deepEqual(await effects.scene.work.extend([claim], leaseMs), []);
  },
  "an ask and its result in one batch leave no row": async (effects) => {
    const askId = newEventId();
    await effects.dispatch({ change: "asked", askId }, { change: "decided", askId }, { change: "ended", askId });
    check.deepEqual(await effects.claim(), []);
  },
  "the append of a result closes its row in the same step, and is refused when the lease is lost": async (effects) => {
    const { scene, worker } = effects;
    const origin = await scene.create();
    const asked = scene.derived(origin, `ask:${worker}`, 1, { finalizersText: "{}" });
    const ask = { ...asked.event, version: 2 };
    await effects.dispatch({ change: "asked", askId: ask.id });
    const claim = await effects.claimOne(30);
    const item = mutate.effectNews(ask, worker, { result: { ok: {} }, now: "2026-01-01T00:00:02.000000Z" });
    await scene.wait(40);
    const next = await effects.claimOne();
    const late = await scene.append([item], leaseOf(claim, null));
    check.equal(late.result === "refused" ? late.code : late.result, "lease_lost");
    check.equal((await scene.append([item], leaseOf(next, null))).result, "appended");
    check.deepEqual(await effects.claim(), []);
    check.deepEqual(await effects.states(), []);
    check.equal((await scene.append([item], leaseOf(next, null))).result, "repeated");
  },
  "a lease that ran out tells its next holder so; one that was ended does not": async (effects) => {
    await effects.ask();
    const lost = await effects.claimOne(30);
    check.equal(lost.isAbandoned, false);
    await effects.scene.wait(40);
    const next = await effects.claimOne();
    check.deepEqual([next.attempt, next.isAbandoned], [2, true]);
    await effects.scene.work.fail(next, failure, { retryAfterMs: 0, generation: null });
    const third = await effects.claimOne();
    check.deepEqual([third.attempt, third.isAbandoned], [3, false]);
    await effects.scene.work.release(third, { dueAfterMs: 0 });
    const again = await effects.claimOne();
    check.deepEqual([again.attempt, again.isAbandoned], [3, false]);
  },
  "held effects and dead letters stand, are counted apart and claimed by nobody": async (effects) => {
    const { work } = effects.scene;
    await effects.ask();
    await effects.ask();
    const [held, dead] = await effects.claim();
    check.ok(held !== undefined && dead !== undefined);
    await effects.hold(held);
    await work.fail(dead, failure, { retryAfterMs: null, generation: null });
    check.deepEqual([...(await effects.states())].sort(), ["dead", "held"]);
    const standing = (await work.standing()).filter(({ component }) => component === effects.component);
    check.deepEqual(standing, [
      { component: effects.component, state: "dead", count: 1 },
      { component: effects.component, state: "held", count: 1 },
    ]);
    check.deepEqual(await effects.claim(), []);
    check.equal(await work.nextDueMs([effects.component]), null);
    const shown = await work.effect(effects.scene.tenantId, dead.aggregateId);
    check.deepEqual([shown?.state, shown?.attempts, shown?.failure], ["dead", 1, failure]);
    check.equal(await work.effect(effects.scene.tenantId, newEventId()), undefined);
  },
  "those that stand are listed before those that wait": async (effects) => {
    await effects.ask();
    await effects.hold(await effects.claimOne());
    await effects.ask();
    check.deepEqual(await effects.states(), ["held", "waiting"]);
  },
  "a decision makes a standing effect due at once, with its attempts forgotten": async (effects) => {
    const askId = await effects.ask();
    await effects.hold(await effects.claimOne());
    await effects.dispatch({ change: "decided", askId });
    const claim = await effects.claimOne();
    check.deepEqual([claim.attempt, claim.isAbandoned], [1, false]);
  },
  "a decision ends a backoff": async (effects) => {
    const askId = await effects.ask();
    const first = await effects.claimOne();
    await effects.scene.work.fail(first, failure, { retryAfterMs: 60_000, generation: null });
    await effects.dispatch({ change: "decided", askId });
    await effects.claimOne();
  },
  "a decision that comes while the effect is worked on leaves the lease and is seen when it ends": async (effects) => {
    const askId = await effects.ask();
    const { work } = effects.scene;
    const claim = await effects.claimOne();
    await effects.dispatch({ change: "decided", askId });
    check.deepEqual(await effects.claim(), []);
    check.deepEqual(await work.extend([claim], leaseMs), [claim]);
    check.equal(await effects.hold(claim), true);
    const next = await effects.claimOne();
    check.equal(next.attempt, 1);
    await effects.hold(next);
    check.deepEqual(await effects.states(), ["held"]);
  },
  "a redriven dead letter of an effect is due again": async (effects) => {
    await effects.ask();
    const claim = await effects.claimOne();
    await effects.scene.work.fail(claim, failure, { retryAfterMs: null, generation: null });
    await effects.scene.decide("dead-letter.redriven", claim);
    await effects.scene.dispatch();
    check.equal((await effects.claimOne()).attempt, 1);
  },
  "behind a dead letter waits what its resource asks of the worker later, until the letter has ended, one after another":
    async (effects) => {
      const { scene } = effects;
      const { work, tenantId } = scene;
      const acme = askerOf("acme");
      const first = await effects.ask(acme);
      const dead = await effects.bury();
      const [second, third] = [await effects.ask(acme), await effects.ask(acme)];
      check.deepEqual(await effects.states(), ["dead", "blocked", "blocked"]);
      check.deepEqual(await effects.claim(), []);
      check.equal(await work.nextDueMs([effects.component]), null);
      check.equal((await work.deadLetters(tenantId))[0]?.waiting, 2);

      await scene.decide("dead-letter.redriven", dead);
      await scene.dispatch();
      check.equal((await effects.claimOne()).aggregateId, first);
      await effects.dispatch({ change: "ended", askId: first });
      check.equal((await effects.claimOne()).aggregateId, second);
      check.deepEqual(await effects.claim(), []);
      await effects.dispatch({ change: "ended", askId: second });
      check.equal((await effects.claimOne()).aggregateId, third);
    },
  "what was asked before the letter, by another resource or in another generation does not wait behind it": async (
    effects,
  ) => {
    const acme = askerOf("acme");
    const before = await effects.ask(acme);
    const earlier = await effects.claimOne();
    await effects.ask(acme);
    await effects.bury();
    await effects.scene.work.release(earlier, { dueAfterMs: 0 });
    const others = [await effects.ask(askerOf("acme", 2)), await effects.ask(askerOf("zen"))];
    const claims = (await effects.claim()).map(({ aggregateId }) => aggregateId);
    check.deepEqual([...claims].sort(), [before, ...others].sort());
  },
  "what waits for its next attempt waits behind a letter too; what is worked on is left alone": async (effects) => {
    const { work } = effects.scene;
    const acme = askerOf("acme");
    const ids = [await effects.ask(acme), await effects.ask(acme), await effects.ask(acme)];
    const claims = await effects.claim();
    const [first, second, third] = ids.map((id) => claims.find(({ aggregateId }) => aggregateId === id));
    check.ok(first !== undefined && second !== undefined && third !== undefined);
    await work.fail(second, failure, { retryAfterMs: 0, generation: null });
    await work.fail(first, failure, { retryAfterMs: null, generation: null });
    check.deepEqual([...(await effects.states())].sort(), ["blocked", "dead", "running"]);
    check.deepEqual(await effects.claim(), []);
    check.deepEqual(await work.extend([third], leaseMs), [third]);
  },
  "letters of one sequence that are redriven together run one after another, the earliest first": async (effects) => {
    const { scene } = effects;
    const acme = askerOf("acme");
    const ids = [await effects.ask(acme), await effects.ask(acme)];
    const claims = await effects.claim();
    for (const claim of claims) await scene.work.fail(claim, failure, { retryAfterMs: null, generation: null });
    for (const claim of claims) await scene.decide("dead-letter.redriven", claim);
    await scene.dispatch();
    check.equal((await effects.claimOne()).aggregateId, ids[0]);
    await effects.dispatch({ change: "ended", askId: ids[0] ?? "" });
    check.equal((await effects.claimOne()).aggregateId, ids[1]);
  },
  "the deletion of the resource leaves the row": async (effects) => {
    const { scene } = effects;
    const origin = await scene.create();
    const fact = draftSystemFact({ tenantId: scene.tenantId });
    await scene.append([{ event: fact, effect: "system", expectedVersion: "any" }]);
    await effects.ask();
    const deletion = { ...origin, id: newEventId(), type: "organization.delete" };
    await scene.append([{ event: deletion, effect: "deletes", expectedVersion: "streamExists" }]);
    const end = scene.derived(deletion, "runtime", 2, { type: "organization.deleted" });
    await scene.append([{ ...end, effect: "finishes" }]);
    await scene.dispatch();
    await effects.claimOne();
  },
  "waiting effects are no work of the controllers, nor the other way round": async (effects) => {
    const { scene } = effects;
    for (let n = 0; n < 5; n++) await effects.ask();
    await scene.create();
    await scene.dispatch();
    check.equal((await scene.work.backlog([effects.component])).rows, 5);
    check.equal((await scene.work.backlog(scene.components)).rows, 2);
    check.equal(await scene.work.nextDueMs([effects.component]), 0);
    check.equal((await scene.claim()).length, 2);
    check.equal(await scene.work.nextDueMs([effects.component]), 0);
  },
};

/** Cases of several tenants. */
const fair = async (effects: EffectScene, under: WorkUnderTest): Promise<void> => {
  const other = new EffectScene(under, effects);
  for (let n = 0; n < 30; n++) await effects.ask();
  await other.ask();
  const claims = [...(await effects.claim(4)), ...(await effects.claim(4))];
  check.equal(claims.filter(({ tenantId }) => tenantId === other.scene.tenantId).length, 1);
  check.equal(claims.length >= 4, true);
};

/** The cases by their claims. */
export const effectCases: Readonly<Record<string, (scene: Scene, under: WorkUnderTest) => Promise<void>>> = {
  ...Object.fromEntries(
    Object.entries(cases).map(([claim, body]) => [
      claim,
      (_scene: Scene, under: WorkUnderTest) => body(new EffectScene(under)),
    ]),
  ),
  "a tenant with many effects does not starve another": (_scene, under) => fair(new EffectScene(under), under),
};
