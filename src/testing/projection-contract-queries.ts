/** The contract suite of projection stores: questions of one tenant, and across tenants. */
import { strict as check } from "node:assert";
import { isEventplaneError } from "../kernel/index.js";
import { newTenantId } from "./drafts.js";
import { advance, type Cases, noNotes, row, totals } from "./projection-contract-scene.js";

/** Questions of one tenant. */
export const asking: Cases = {
  "a question before the first event has no rows and position 0": async (scene) => {
    check.deepEqual(await scene.query({ table: "types" }), { rows: [], position: 0, next: null });
  },
  "rows come in pages in the order of their keys, with the position of the same moment": async (scene) => {
    const epoch = await scene.begin();
    for (const [index, key] of ["b", "a", "ü", "B"].entries())
      await scene.store.change(epoch, scene.tenantId, [advance(1, [index, index + 1], totals(key, index + 1))]);
    const rows = [
      { key: "B", value: 4 },
      { key: "a", value: 2 },
      { key: "b", value: 1 },
    ];
    check.deepEqual(await scene.query({ table: "types", limit: 3 }), { rows, position: 4, next: "b" });
    const rest = { rows: [{ key: "ü", value: 3 }], position: 4, next: null };
    check.deepEqual(await scene.query({ table: "types", limit: 3, after: "b" }), rest);
  },
  "one row is asked for by its key": async (scene) => {
    const epoch = await scene.begin();
    await scene.store.change(epoch, scene.tenantId, [advance(1, [0, 1], row("a", 1, '{"plan":"free"}'))]);
    await scene.store.change(epoch, scene.tenantId, [advance(1, [1, 2], row("b", 2, '{"plan":"team"}'))]);
    const rows = [{ key: "b", value: { plan: "team" }, position: 2 }];
    check.deepEqual(await scene.query({ table: "last", key: "b", limit: 1 }), { rows, position: 2, next: null });
    check.deepEqual((await scene.query({ table: "last", key: "c" })).rows, []);
  },
  "groups are asked for by their values": async (scene) => {
    const epoch = await scene.begin();
    const added = new Map([
      ['["free"]', [2, 5]],
      ['["team"]', [1, -1]],
    ]);
    await scene.store.change(epoch, scene.tenantId, [
      advance(1, [0, 1], { totals: new Map([["plans_totals", added]]) }),
    ]);
    const free = { group: { plan: "free" }, count: 2, sums: { seats: 5 } };
    const team = { group: { plan: "team" }, count: 1, sums: { seats: -1 } };
    check.deepEqual((await scene.query({ table: "plans" })).rows, [free, team]);
    check.deepEqual((await scene.query({ table: "plans", where: { plan: "team" } })).rows, [team]);
    check.deepEqual((await scene.query({ table: "plans", where: { plan: "none" } })).rows, []);
  },
  "texts that no row can have are refused, whatever asks for them": async (scene) => {
    for (const query of [
      { table: "last", key: "a\u0000" },
      { table: "last", after: "\u0000" },
      { table: "plans", where: { plan: "\ud83d" } },
    ]) {
      await check.rejects(scene.query(query), (error) => isEventplaneError(error, "request_invalid"));
    }
  },
  "only the live build is read, of the tenant that is asked for": async (scene) => {
    const { store, tenantId } = scene;
    const epoch = await scene.begin();
    await store.change(epoch, tenantId, [advance(1, [0, 1], totals("a", 1)), scene.open(2, "rebuild")]);
    await store.change(epoch, tenantId, [advance(2, [0, 2], totals("b", 1))]);
    check.deepEqual((await scene.query({ table: "types" })).rows, [{ key: "a", value: 1 }]);
    check.deepEqual((await scene.query({ table: "types" }, newTenantId())).rows, []);
    await store.change(epoch, tenantId, [
      { step: "appoint", build: 1, role: "retired" },
      { step: "appoint", build: 2, role: "live" },
    ]);
    check.deepEqual(await scene.query({ table: "types" }), { rows: [{ key: "b", value: 1 }], position: 2, next: null });
  },
};

/** Questions to all tenants together. */
export const summing: Cases = {
  "live totals of all tenants are added up by key, and say in how many tenants there is one": async (scene) => {
    const { store, tenantId } = scene;
    const epoch = await scene.begin();
    const other = newTenantId();
    await store.change(epoch, other, [scene.open(1), { step: "note", ...noNotes }]);
    await store.change(epoch, tenantId, [advance(1, [0, 1], totals("a", 2)), scene.open(2, "rebuild")]);
    await store.change(epoch, tenantId, [advance(2, [0, 1], totals("a", 50))]);
    await store.change(epoch, other, [advance(1, [0, 1], totals("a", -3))]);
    await store.change(epoch, other, [advance(1, [1, 2], totals("b", 4))]);
    const rows = [
      { key: "a", value: -1, tenants: 2 },
      { key: "b", value: 4, tenants: 1 },
    ];
    check.deepEqual(await scene.acrossTenants({ table: "types" }), { rows, next: null });
    check.deepEqual(await scene.acrossTenants({ table: "types", key: "b", limit: 1 }), { rows: [rows[1]], next: null });
    check.deepEqual(await scene.acrossTenants({ table: "types", limit: 1 }), { rows: [rows[0]], next: "a" });
    check.deepEqual(await scene.acrossTenants({ table: "types", limit: 1, after: "a" }), {
      rows: [rows[1]],
      next: "b",
    });
  },
  "groups of all tenants are added up, and asked for by their values": async (scene) => {
    const { store, tenantId } = scene;
    const epoch = await scene.begin();
    const other = newTenantId();
    await store.change(epoch, other, [scene.open(1), { step: "note", ...noNotes }]);
    for (const [index, tenant] of [tenantId, other].entries()) {
      const added = new Map([
        ['["free"]', [1 + index, 5]],
        [`["only-${index}"]`, [1, 0]],
      ]);
      await store.change(epoch, tenant, [advance(1, [0, 1], { totals: new Map([["plans_totals", added]]) })]);
    }
    const free = { group: { plan: "free" }, count: 3, sums: { seats: 10 }, tenants: 2 };
    check.deepEqual((await scene.acrossTenants({ table: "plans", where: { plan: "free" } })).rows, [free]);
    check.deepEqual(
      (await scene.acrossTenants({ table: "plans" })).rows.map(({ group, tenants }) => [group, tenants]),
      [
        [{ plan: "free" }, 2],
        [{ plan: "only-0" }, 1],
        [{ plan: "only-1" }, 1],
      ],
    );
  },
  "a table that is not declared so is never added up": async (scene) => {
    await scene.begin();
    for (const table of ["last", "history", "nothing"]) {
      const asked = scene.acrossTenants({ table });
      await check.rejects(asked, (error) => isEventplaneError(error, "request_invalid"));
    }
  },
  "a sum that a JSON number cannot hold is refused": async (scene) => {
    const { store, tenantId } = scene;
    const epoch = await scene.begin();
    const other = newTenantId();
    await store.change(epoch, other, [scene.open(1), { step: "note", ...noNotes }]);
    await store.change(epoch, tenantId, [advance(1, [0, 1], totals("a", Number.MAX_SAFE_INTEGER))]);
    check.deepEqual((await scene.acrossTenants({ table: "types" })).rows.length, 1);
    await store.change(epoch, other, [advance(1, [0, 1], totals("a", 1))]);
    const asked = scene.acrossTenants({ table: "types" });
    await check.rejects(asked, (error) => isEventplaneError(error, "projection_invalid"));
  },
};
