/** Builds beside the one that is read: rebuilds, verifications, resets, pauses, newer versions; and what operators ask. */
import { expect, test } from "vitest";
import type { ProjectionDefinition } from "../event/index.js";
import { newTenantId, ProjectionBench, testProjection } from "../testing/index.js";

test("a rebuild folds anew beside what is read, takes its place at the same digest, and what was read is removed", async () => {
  const bench = new ProjectionBench();
  const tenantId = newTenantId();
  await bench.publish(tenantId, "create", "a", { plan: "free", seats: 1 });
  await bench.publish(tenantId, "change-plan", "a", { plan: "team", seats: 2 });
  const runner = bench.runner();
  await runner.catchUp();
  const before = await bench.digest(tenantId);
  await bench.ask("rebuild", tenantId);
  await runner.catchUp();
  expect(await bench.builds(tenantId)).toEqual(["2 v1 live 3"]);
  expect(await bench.digest(tenantId)).toBe(before);
  expect((await bench.store.tenant(tenantId)).check).toEqual({ position: 3, live: before, fresh: before });
  expect(bench.store.tables(tenantId, 1).rows.get("last_rows")?.size).toBe(0);
});

test("verify finds rows that somebody changed, raises an alarm, and a rebuild puts them right", async () => {
  const bench = new ProjectionBench();
  const tenantId = newTenantId();
  await bench.publish(tenantId, "create", "a", { plan: "free", seats: 1 });
  const runner = bench.runner();
  await runner.catchUp();
  await bench.ask("verify", tenantId);
  await runner.catchUp();
  const { check: good } = await bench.store.tenant(tenantId);
  expect(good?.live).toBe(good?.fresh);
  bench.store.tables(tenantId, 1).rows.get("last_rows")?.delete("a");
  await bench.ask("verify", tenantId);
  await runner.catchUp();
  const { check } = await bench.store.tenant(tenantId);
  expect(check?.live).not.toBe(check?.fresh);
  expect(check?.fresh).toBe(good?.fresh);
  expect(bench.errors.map(([, message]) => message)).toEqual([
    "A projection folded anew differs from the one that was read",
  ]);
  await bench.ask("rebuild", tenantId);
  await runner.catchUp();
  expect(await bench.digest(tenantId)).toBe(good?.fresh);
});

test("a paused projection stands still until it is resumed, for one tenant or for all", async () => {
  const bench = new ProjectionBench();
  const [tenantId, neighbour] = [newTenantId(), newTenantId()];
  const runner = bench.runner();
  const positions = async (): Promise<readonly (readonly string[])[]> => {
    await runner.catchUp();
    return [await bench.builds(tenantId), await bench.builds(neighbour)];
  };
  for (const each of [tenantId, neighbour]) await bench.publish(each, "create", "a", { plan: "free" });
  await runner.catchUp();
  await bench.ask("pause", tenantId);
  await bench.publish(neighbour, "create", "b", { plan: "free" });
  expect(await positions()).toEqual([["1 v1 live 1"], ["1 v1 live 2"]]);
  await bench.ask("resume", tenantId);
  expect(await positions()).toEqual([["1 v1 live 3"], ["1 v1 live 2"]]);
  await bench.ask("pause");
  for (const each of [tenantId, neighbour]) await bench.publish(each, "create", "d", { plan: "free" });
  expect(await positions()).toEqual([["1 v1 live 3"], ["1 v1 live 2"]]);
  await bench.ask("resume");
  expect(await positions()).toEqual([["1 v1 live 4"], ["1 v1 live 3"]]);
});

test("a pause for all tenants is obeyed from the start, however many requests came before it", async () => {
  const bench = new ProjectionBench();
  const tenantId = newTenantId();
  await bench.publish(tenantId, "create", "a", { plan: "free" });
  for (let request = 0; request < 1_000; request++) await bench.ask("resume");
  await bench.ask("pause");
  await bench.runner().catchUp();
  expect(await bench.builds(tenantId)).toEqual(["1 v1 live 0"]);
});

test("resume tries again what stopped, and reset begins at the beginning with nothing to read", async () => {
  const bench = new ProjectionBench();
  const tenantId = newTenantId();
  await bench.publish(tenantId, "create", "a", { plan: "free" });
  await bench.publish(tenantId, "create", "b", { plan: "poison" });
  const runner = bench.runner();
  await runner.catchUp();
  await bench.ask("resume", tenantId);
  await runner.catchUp();
  expect(bench.errors.length).toBe(2);
  await bench.ask("reset", tenantId);
  await runner.catchUp();
  expect(await bench.builds(tenantId)).toEqual(["2 v1 live 1"]);
  expect(bench.errors.length).toBe(3);
});

test("a request for all tenants is carried out once for each, and not for those that came later", async () => {
  const bench = new ProjectionBench();
  const [tenantId, later] = [newTenantId(), newTenantId()];
  await bench.publish(tenantId, "create", "a", { plan: "free" });
  const runner = bench.runner();
  await runner.catchUp();
  await bench.ask("rebuild");
  await runner.catchUp();
  await bench.publish(later, "create", "a", { plan: "free" });
  await runner.catchUp();
  await (await bench.next()).catchUp();
  expect([await bench.builds(tenantId), await bench.builds(later)]).toEqual([["2 v1 live 1"], ["1 v1 live 1"]]);
});

test("requests from before there was a build are done with it, but for a pause", async () => {
  const bench = new ProjectionBench();
  const [tenantId, paused] = [newTenantId(), newTenantId()];
  for (const each of [tenantId, paused]) await bench.publish(each, "create", "a", { plan: "free" });
  await bench.ask("rebuild", tenantId);
  await bench.ask("reset", tenantId);
  await bench.ask("pause", paused);
  await bench.runner().catchUp();
  expect([await bench.builds(tenantId), await bench.builds(paused)]).toEqual([["1 v1 live 3"], ["1 v1 live 0"]]);
});

test("a newer version is folded beside the older one, which is read meanwhile; a process of the older one changes nothing", async () => {
  const bench = new ProjectionBench();
  const tenantId = newTenantId();
  for (const id of ["a", "b"]) await bench.publish(tenantId, "create", id, { plan: "free" });
  await bench.runner().catchUp();
  const newer = testProjection("plans", 2).definition;
  await (await bench.next({ definition: newer })).catchUp();
  expect(await bench.builds(tenantId)).toEqual(["2 v2 live 2"]);
  await bench.publish(tenantId, "create", "c", { plan: "free" });
  await (await bench.next()).catchUp();
  expect(await bench.builds(tenantId)).toEqual(["2 v2 live 2"]);
});

test("what a newer version folded stands still under an older one, which says so until it is rebuilt", async () => {
  const bench = new ProjectionBench();
  const [tenantId, neighbour] = [newTenantId(), newTenantId()];
  for (const each of [tenantId, neighbour]) await bench.publish(each, "create", "a", { plan: "free" });
  await bench.runner({ definition: testProjection("plans", 2).definition }).catchUp();
  const older = await bench.next();
  await older.catchUp();
  expect(older.newerTenants).toBe(2);
  await bench.ask("rebuild", tenantId);
  await older.catchUp();
  expect([await bench.builds(tenantId), older.newerTenants]).toEqual([["2 v1 live 2"], 1]);
  await bench.ask("rebuild");
  await older.catchUp();
  expect(older.newerTenants).toBe(0);
});

/** A definition that cannot apply the event at position 1. */
function stoppingAtFirst(version: number): ProjectionDefinition {
  const { definition } = testProjection("plans", version);
  const apply = new Map(definition.apply);
  const create = definition.apply.get("organization.create");
  apply.set("organization.create", (event, tables) => {
    if (event.position === 1) throw new RangeError();
    return create?.(event, tables);
  });
  return { ...definition, apply };
}

test("a rebuild that stops keeps its alarm while what is read goes on", async () => {
  const bench = new ProjectionBench();
  const tenantId = newTenantId();
  await bench.publish(tenantId, "create", "a", { plan: "free" });
  await bench.runner().catchUp();
  await bench.ask("rebuild", tenantId);
  const runner = await bench.next({ definition: stoppingAtFirst(1) });
  await runner.catchUp();
  await bench.publish(tenantId, "create", "b", { plan: "free" });
  await runner.catchUp();
  expect(await bench.builds(tenantId)).toEqual(["1 v1 live 3", "2 v1 rebuild 0"]);
  expect((await bench.store.tenant(tenantId)).failure).toMatchObject({ code: "RangeError", position: 1 });
});

test("a rebuild that stops where what is read stopped is told once, not at every look", async () => {
  const bench = new ProjectionBench();
  const tenantId = newTenantId();
  await bench.publish(tenantId, "create", "a", { plan: "poison" });
  const runner = bench.runner();
  await runner.catchUp();
  await bench.ask("rebuild", tenantId);
  for (let look = 0; look < 5; look++) await runner.catchUp();
  expect(await bench.builds(tenantId)).toEqual(["1 v1 live 0", "2 v1 rebuild 0"]);
  // One before the rebuild; then both builds are tried once.
  expect(bench.errors).toHaveLength(3);
});

test("a newer version that cannot be folded leaves the older one to be read, with an alarm", async () => {
  const bench = new ProjectionBench();
  const tenantId = newTenantId();
  await bench.publish(tenantId, "create", "a", { plan: "free" });
  await bench.runner().catchUp();
  await (await bench.next({ definition: stoppingAtFirst(2) })).catchUp();
  expect(await bench.builds(tenantId)).toEqual(["1 v1 live 1", "2 v2 rebuild 0"]);
  expect((await bench.store.tenant(tenantId)).failure).toMatchObject({ code: "RangeError", position: 1 });
});
