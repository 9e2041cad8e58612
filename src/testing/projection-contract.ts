/**
 * The contract suite of projection stores: every adapter of src/projection/projection-port.ts passes it.
 *
 * Each test has a projection and a tenant of its own, so one store serves the whole suite.
 */
import { strict as check } from "node:assert";
import { isEventplaneError, systemIds } from "../kernel/index.js";
import { newTenantId } from "./drafts.js";
import { asking, summing } from "./projection-contract-queries.js";
import {
  advance,
  at,
  type Cases,
  leaseMs,
  noNotes,
  type ProjectionsUnderTest,
  row,
  Scene,
  totals,
} from "./projection-contract-scene.js";
import { testProjection } from "./test-projection.js";
import type { TestRunner } from "./test-runner.js";

export type { ProjectionsUnderTest } from "./projection-contract-scene.js";

const leading: Cases = {
  "one leads; the next one after the lease was given back, with a higher epoch": async ({ store, holder }) => {
    const other = systemIds.uuid4();
    const epoch = await store.lead(holder, leaseMs);
    check.equal(await store.lead(other, leaseMs), undefined);
    check.equal(await store.lead(holder, leaseMs), epoch);
    await store.resign(other);
    check.equal(await store.lead(other, leaseMs), undefined);
    await store.resign(holder);
    check.equal(await store.lead(other, leaseMs), (epoch ?? 0) + 1);
  },
  "who led before can change nothing": async (scene) => {
    const { store, tenantId } = scene;
    const old = await scene.begin();
    await store.change(old, tenantId, [advance(1, [0, 1], totals("a", 1))]);
    await store.resign(scene.holder);
    await store.lead(systemIds.uuid4(), leaseMs);
    const before = [await store.tenant(tenantId), await scene.digest()];
    check.equal(await store.change(old, tenantId, [advance(1, [1, 2], totals("a", 1))]), false);
    check.equal(await store.sweep(old, tenantId, 1, 10), undefined);
    check.deepEqual([await store.tenant(tenantId), await scene.digest()], before);
  },
};

const changing: Cases = {
  "a cursor that is elsewhere refuses all steps": async (scene) => {
    const { store, tenantId } = scene;
    const epoch = await scene.begin();
    await store.change(epoch, tenantId, [advance(1, [0, 3])]);
    const before = [await store.tenant(tenantId), await scene.digest()];
    const steps = [scene.open(2, "rebuild"), advance(1, [2, 4], totals("a", 1))];
    check.equal(await store.change(epoch, tenantId, steps), false);
    check.deepEqual([await store.tenant(tenantId), await scene.digest()], before);
  },
  "the cursor holds epoch, position and hash": async (scene) => {
    const epoch = await scene.begin();
    await scene.store.change(epoch, scene.tenantId, [advance(1, [0, 7])]);
    const [build] = (await scene.store.tenant(scene.tenantId)).builds;
    check.deepEqual([build?.cursor?.logEpoch, build?.cursor?.position], [1, 7]);
    check.equal(Buffer.compare(build?.cursor?.hash ?? Buffer.of(), at(7).hash), 0);
  },
  "notes come back as they were made": async (scene) => {
    const epoch = await scene.begin();
    const notes = {
      ownVersion: 3,
      platformVersion: 4,
      isPaused: true,
      failure: { code: "RangeError", message: "apply threw RangeError.", position: 9 },
      check: { position: 8, live: "a".repeat(64), fresh: "b".repeat(64) },
    };
    await scene.store.change(epoch, scene.tenantId, [{ step: "note", ...notes }]);
    const { builds: _, ...noted } = await scene.store.tenant(scene.tenantId);
    check.deepEqual(noted, notes);
  },
  "a build takes the place of another in one commit": async (scene) => {
    const { store, tenantId } = scene;
    const epoch = await scene.begin();
    await store.change(epoch, tenantId, [scene.open(2, "rebuild")]);
    await store.change(epoch, tenantId, [
      { step: "appoint", build: 1, role: "retired" },
      { step: "appoint", build: 2, role: "live" },
    ]);
    const { builds } = await store.tenant(tenantId);
    check.deepEqual(
      builds.map(({ build, role }) => [build, role]),
      [
        [1, "retired"],
        [2, "live"],
      ],
    );
    await store.change(epoch, tenantId, [{ step: "close", build: 1 }]);
    check.deepEqual(
      (await store.tenant(tenantId)).builds.map(({ build }) => build),
      [2],
    );
  },
};

const writing: Cases = {
  "rows are loaded as they were written last, and not when they are gone": async (scene) => {
    const { store, tenantId } = scene;
    const epoch = await scene.begin();
    await store.change(epoch, tenantId, [advance(1, [0, 1], row("a", 1, '{"plan":"free"}'))]);
    await store.change(epoch, tenantId, [advance(1, [1, 2], row("a", 2, '{"plan":"team"}'))]);
    await store.change(epoch, tenantId, [advance(1, [2, 3], row("b", 3, '"ü"'))]);
    const names = ["a", "b", "c"].map((key) => ({ table: "last_rows", key }));
    const loaded = [...(await store.load(tenantId, 1, names))].sort((one, other) => (one.key < other.key ? -1 : 1));
    check.deepEqual(loaded, [
      { table: "last_rows", key: "a", position: 2, value: '{"plan":"team"}' },
      { table: "last_rows", key: "b", position: 3, value: '"ü"' },
    ]);
    await store.change(epoch, tenantId, [advance(1, [3, 4], row("a", 4, undefined))]);
    check.deepEqual(
      (await store.load(tenantId, 1, names)).map(({ key }) => key),
      ["b"],
    );
  },
  "totals are added to, and what comes to 0 is as if it had never been": async (scene) => {
    const { store, tenantId } = scene;
    const epoch = await scene.begin();
    const empty = await scene.digest();
    await store.change(epoch, tenantId, [advance(1, [0, 1], totals("a", 2))]);
    await store.change(epoch, tenantId, [advance(1, [1, 2], totals("a", -1))]);
    const one = await scene.digest();
    check.notEqual(one, empty);
    await store.change(epoch, tenantId, [advance(1, [2, 3], totals("a", -1))]);
    check.equal(await scene.digest(), empty);
    await store.change(epoch, tenantId, [advance(1, [3, 4], totals("a", 1))]);
    check.equal(await scene.digest(), one);
  },
  "a number beyond the safe integers is refused, and nothing is done": async (scene) => {
    const { store, tenantId } = scene;
    const epoch = await scene.begin();
    await store.change(epoch, tenantId, [advance(1, [0, 1], totals("a", Number.MAX_SAFE_INTEGER))]);
    const before = [await store.tenant(tenantId), await scene.digest()];
    const over = store.change(epoch, tenantId, [advance(1, [1, 2], totals("a", 1))]);
    await check.rejects(over, (error) => isEventplaneError(error, "projection_invalid"));
    check.deepEqual([await store.tenant(tenantId), await scene.digest()], before);
  },
  "builds and tenants never meet": async (scene) => {
    const { store, tenantId } = scene;
    const epoch = await scene.begin();
    const other = newTenantId();
    await store.change(epoch, other, [scene.open(1), { step: "note", ...noNotes }]);
    await store.change(epoch, tenantId, [scene.open(2, "rebuild"), advance(1, [0, 1], totals("a", 1))]);
    check.equal(await scene.digest(2), await scene.digest(1, other));
    check.notEqual(await scene.digest(1), await scene.digest(2));
  },
  "the order of keys is that of their bytes": async (scene) => {
    const { store, tenantId } = scene;
    const epoch = await scene.begin();
    await store.change(epoch, tenantId, [scene.open(2, "rebuild")]);
    for (const [index, key] of ["B", "a", "ä", "\u{ffff}", "\u{1f600}"].entries()) {
      await store.change(epoch, tenantId, [advance(1, [index, index + 1], totals(key, 1))]);
    }
    for (const [index, key] of ["\u{1f600}", "\u{ffff}", "ä", "a", "B"].entries()) {
      await store.change(epoch, tenantId, [advance(2, [index, index + 1], totals(key, 1))]);
    }
    check.equal(await scene.digest(1), await scene.digest(2));
    // Computed by another program from the definition in state-digest.ts.
    check.equal(await scene.digest(1), "61fb6e06e3d350293633a7b4961b4a59269081b8defb6ce51b251689ec1606a1");
  },
  "a sweep removes a bounded number of rows, until none are left": async (scene) => {
    const { store, tenantId } = scene;
    const epoch = await scene.begin();
    const empty = await scene.digest();
    for (const [index, key] of ["a", "b", "c"].entries())
      await store.change(epoch, tenantId, [advance(1, [index, index + 1], { ...totals(key, 1), ...row(key, 1, "1") })]);
    check.equal(await store.sweep(epoch, tenantId, 1, 2), 4);
    check.equal(await store.sweep(epoch, tenantId, 1, 2), 2);
    check.equal(await store.sweep(epoch, tenantId, 1, 2), 0);
    check.equal(await scene.digest(), empty);
  },
};

const finding: Cases = {
  "a tenant has news when its log has moved, its definition is another, it has other builds, or the platform asks":
    async (scene) => {
      const { store, tenantId } = scene;
      await scene.publish();
      check.ok((await scene.news()).includes(tenantId), "its first event");
      const epoch = await scene.begin();
      await store.change(epoch, tenantId, [advance(1, [0, 1])]);
      check.ok(!(await scene.news()).includes(tenantId), "nothing new");
      check.ok((await scene.news(0, "f2")).includes(tenantId), "another definition");
      check.ok((await scene.news(1)).includes(tenantId), "the platform asks");
      await store.change(epoch, tenantId, [scene.open(2, "rebuild")]);
      check.ok((await scene.news()).includes(tenantId), "another build");
      await store.change(epoch, tenantId, [{ step: "close", build: 2 }]);
      check.ok(!(await scene.news()).includes(tenantId), "nothing new again");
      await scene.publish();
      check.ok((await scene.news()).includes(tenantId), "its second event");
    },
  "the summary counts tenants, lag, who stands still, and what is folded anew": async (scene) => {
    const { store, tenantId } = scene;
    await scene.publish();
    await scene.publish();
    const epoch = await scene.begin();
    const failure = { code: "RangeError", message: "apply threw RangeError.", position: 2 };
    await store.change(epoch, tenantId, [advance(1, [0, 1]), { step: "note", ...noNotes, failure }]);
    check.deepEqual(await store.summary(0), {
      tenants: 1,
      lagEvents: 1,
      stopped: [{ code: "RangeError", tenants: 1 }],
      differing: 0,
      fresh: { tenants: 0, position: 0, head: 0 },
      waiting: 0,
    });
    const differing = { position: 1, live: "a".repeat(64), fresh: "b".repeat(64) };
    await store.change(epoch, tenantId, [{ step: "note", ...noNotes, check: differing }]);
    const fresh = { tenants: 1, position: 2, head: 2 };
    await store.change(epoch, tenantId, [scene.open(2, "rebuild"), advance(2, [0, 2])]);
    check.deepEqual(await store.summary(1), { tenants: 1, lagEvents: 1, stopped: [], differing: 1, fresh, waiting: 1 });
  },
};

const allCases: Cases = { ...leading, ...changing, ...writing, ...finding, ...asking, ...summing };

/** Declares the suite for one adapter. */
export function projectionContract(runner: TestRunner, name: string, open: () => Promise<ProjectionsUnderTest>): void {
  runner.describe(`projection contract: ${name}`, () => {
    let under: ProjectionsUnderTest | undefined;
    runner.beforeAll(async () => {
      under = await open();
    });
    runner.afterAll(async () => under?.close());
    for (const [index, [claim, body]] of Object.entries(allCases).entries()) {
      runner.it(claim, async () => {
        check.ok(under !== undefined);
        const { definition } = testProjection(`contract_${index}`);
        await body(new Scene(under, { definition, store: await under.store(definition) }));
      });
    }
  });
}
