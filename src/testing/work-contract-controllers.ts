/** Contract: what administrators see of controllers' rows, and what becomes of those of controllers that are gone. */
import { strict as check } from "node:assert";
import { leaseMs, type Scene } from "./work-contract-scene.js";

const failure = { code: "TypeError", message: "The controller threw TypeError." };

export const controllerCases: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "rows of reconciles are counted by component: those that wait, how long, and dead letters": async (scene) => {
    await scene.create("acme");
    await scene.create("beta");
    await scene.dispatch();
    const [first] = await scene.claim(1, [scene.quota]);
    check.ok(first !== undefined);
    await scene.work.fail(first, failure, { retryAfterMs: null, generation: 1 });
    await scene.wait(20);
    const rows = await scene.work.controllerRows(scene.tenantId);
    check.deepEqual(
      rows.map(({ oldestSeconds, ...row }) => ({ ...row, isDue: oldestSeconds > 0 })),
      [
        { component: scene.billing, waiting: 2, deadLetters: 0, isDue: true },
        { component: scene.quota, waiting: 1, deadLetters: 1, isDue: true },
      ],
    );
    check.deepEqual(await scene.another().work.controllerRows(scene.another().tenantId), []);
  },
  "rows that are due for long and of no component that is asked for are unattended": async (scene) => {
    await scene.create();
    await scene.dispatch();
    const of = async (attended: readonly string[], dueForMs: number): Promise<readonly string[]> => {
      const found = await scene.work.unattended(attended, { dueForMs });
      return found.flatMap(({ component, rows, oldestSeconds }) =>
        scene.components.includes(component) && oldestSeconds > 0 ? [`${component} ${rows}`] : [],
      );
    };
    await scene.wait(20);
    check.deepEqual(await of([], 10), [`${scene.billing} 1`, `${scene.quota} 1`]);
    check.deepEqual(await of([scene.quota], 10), [`${scene.billing} 1`]);
    check.deepEqual(await of([], 60_000), []);
    await scene.claimOne(scene.billing);
    check.deepEqual(await of([scene.quota], 10), []);
  },
  "a row is forgotten, a dead letter too, but not from under somebody's hands": async (scene) => {
    await scene.create("acme");
    const held = await scene.claimOne(scene.quota);
    await scene.work.forget(held);
    check.equal((await scene.work.extend([held], leaseMs)).length, 1);
    await scene.work.fail(held, failure, { retryAfterMs: null, generation: 1 });
    await scene.work.forget(held);
    await scene.work.forget(held);
    check.deepEqual(await scene.work.deadLetters(scene.tenantId), []);
    check.deepEqual(
      (await scene.work.controllerRows(scene.tenantId)).map(({ component }) => component),
      [scene.billing],
    );
  },
  "the place of changes is moved by one of those who move it from the same place": async (scene) => {
    const from = (await scene.work.changesPlace())?.position ?? 0;
    const to = { logEpoch: 1, position: from + 5, hash: new Uint8Array(32) };
    const moved = await Promise.all([scene.work.moveChanges(from, to), scene.work.moveChanges(from, to)]);
    check.equal(moved.filter(Boolean).length, 1);
    check.equal((await scene.work.changesPlace())?.position, from + 5);
    check.equal(await scene.work.moveChanges(from, to), false);
  },
};
