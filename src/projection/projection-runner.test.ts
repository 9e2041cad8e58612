/** The runner of a projection on memory: what it folds, who leads, what stops a tenant. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { EventRow } from "../event/index.js";
import { EventplaneError, systemIds } from "../kernel/index.js";
import type { LogReader } from "../store/index.js";
import { newTenantId, ProjectionBench } from "../testing/index.js";
import { counter, defineProjection, documents, groupBy } from "./index.js";

test("the tables hold what the events say", async () => {
  const bench = new ProjectionBench();
  const tenantId = newTenantId();
  await bench.publish(tenantId, "create", "a", { plan: "free", seats: 2 });
  await bench.publish(tenantId, "create", "b", { plan: "free", seats: 3 });
  await bench.publish(tenantId, "change-plan", "a", { plan: "team", seats: 5 });
  await bench.publish(tenantId, "create", "c", { plan: "free" });
  await bench.publish(tenantId, "delete", "c");
  await bench.runner().catchUp();
  expect(await bench.rows(tenantId)).toEqual({
    "types_totals organization.create": [2],
    "types_totals organization.change-plan": [1],
    "types_totals organization.delete": [1],
    'plans_totals ["free"]': [1, 3],
    'plans_totals ["team"]': [1, 5],
    "plans_rows a": { group: ["team"], sums: [5] },
    "plans_rows b": { group: ["free"], sums: [3] },
    "last_rows a": { plan: "team", position: 3 },
    "last_rows b": { plan: "free", position: 2 },
    "history_rows a": { plans: ["free", "team"] },
    "history_rows b": { plans: ["free"] },
  });
  expect(await bench.builds(tenantId)).toEqual(["1 v1 live 5"]);
});

test("P10: the state does not hang on how the log was cut into batches, nor on who folded it", async () => {
  const command = fc.tuple(
    fc.constantFrom("create", "change-plan", "delete"),
    fc.constantFrom("a", "b", "c"),
    fc.record({ plan: fc.constantFrom("free", "team"), seats: fc.integer({ min: -9, max: 9 }) }),
    fc.boolean(),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 30 }), async (commands) => {
      const [cut, whole] = [new ProjectionBench(), new ProjectionBench()];
      const tenantId = newTenantId();
      let runner = cut.runner();
      for (const [name, aggregateId, spec, isNext] of commands) {
        await cut.publish(tenantId, name, aggregateId, spec);
        if (isNext) runner = await cut.next();
        await runner.catchUp();
        await whole.publish(tenantId, name, aggregateId, spec);
      }
      await whole.runner().catchUp();
      expect(await cut.rows(tenantId)).toEqual(await whole.rows(tenantId));
      expect(await cut.digest(tenantId)).toBe(await whole.digest(tenantId));
    }),
    { numRuns: 60 },
  );
});

test("one process leads; another one goes on where it stood when its lease has ended", async () => {
  const bench = new ProjectionBench();
  const tenantId = newTenantId();
  await bench.publish(tenantId, "create", "a", { plan: "free" });
  const [one, other] = [bench.runner(), bench.runner()];
  await one.catchUp();
  await bench.publish(tenantId, "create", "b", { plan: "free" });
  await other.catchUp();
  expect(await bench.builds(tenantId)).toEqual(["1 v1 live 1"]);
  await bench.clock.advance(10_001);
  await other.catchUp();
  expect(await bench.builds(tenantId)).toEqual(["1 v1 live 2"]);
  await bench.publish(tenantId, "create", "c", { plan: "free" });
  await one.catchUp();
  expect(await bench.builds(tenantId)).toEqual(["1 v1 live 2"]);
});

test("a leader that was overtaken writes nothing, and what it knew is forgotten", async () => {
  const bench = new ProjectionBench();
  const tenantId = newTenantId();
  await bench.publish(tenantId, "create", "a", { plan: "free" });
  const one = bench.runner();
  await one.catchUp();
  // The lease of the first is not renewed until a third of it has gone; the second takes it meanwhile.
  await bench.store.resign("nobody");
  const epoch = await bench.store.lead(systemIds.uuid4(), 10_000);
  expect(epoch).toBeUndefined();
  await bench.clock.advance(10_001);
  const second = bench.runner();
  await bench.publish(tenantId, "change-plan", "a", { plan: "team" });
  await second.catchUp();
  await bench.publish(tenantId, "change-plan", "a", { plan: "free" });
  await one.catchUp();
  expect(await bench.builds(tenantId)).toEqual(["1 v1 live 2"]);
  await second.catchUp();
  expect((await bench.rows(tenantId))["history_rows a"]).toEqual({ plans: ["free", "team", "free"] });
});

test("P10: an apply that throws stops its tenant at that position, with an alarm that names no payload; others go on", async () => {
  const bench = new ProjectionBench();
  const [tenantId, neighbour] = [newTenantId(), newTenantId()];
  await bench.publish(tenantId, "create", "a", { plan: "free" });
  await bench.publish(tenantId, "create", "b", { plan: "poison" });
  await bench.publish(tenantId, "create", "c", { plan: "free" });
  await bench.publish(neighbour, "create", "a", { plan: "free" });
  const runner = bench.runner();
  await runner.catchUp();
  expect(await bench.builds(tenantId)).toEqual(["1 v1 live 1"]);
  expect(await bench.builds(neighbour)).toEqual(["1 v1 live 1"]);
  expect((await bench.store.tenant(tenantId)).failure).toMatchObject({ position: 2, code: "RangeError" });
  const [[fields, message] = [{}, ""]] = bench.errors;
  expect(message).toBe("A projection of a tenant stands still");
  expect(fields).toMatchObject({ projection: "plans", tenantId, position: 2, code: "RangeError" });
  expect(JSON.stringify(fields)).not.toContain("poison");
  await bench.clock.advance(5_001);
  await runner.catchUp();
  expect(runner.summary?.stopped).toEqual([{ code: "RangeError", tenants: 1 }]);
  expect(bench.errors.length).toBe(1);
});

test("P13: a tenant whose rows somebody holds does not keep the others waiting", async () => {
  const bench = new ProjectionBench();
  const [tenantId = newTenantId(), neighbour = newTenantId()] = [newTenantId(), newTenantId()].sort();
  for (const each of [tenantId, neighbour]) await bench.publish(each, "create", "a", { plan: "free" });
  const { reader } = bench.log;
  let isHeld = true;
  const held: LogReader = {
    ...reader,
    read: async (of, query) => {
      if (isHeld && of === tenantId) throw new EventplaneError("busy", "held");
      return reader.read(of, query);
    },
  };
  const runner = bench.runner({ reader: held });
  await runner.catchUp();
  expect([await bench.builds(tenantId), await bench.builds(neighbour)]).toEqual([["1 v1 live 0"], ["1 v1 live 1"]]);
  isHeld = false;
  await runner.catchUp();
  expect(await bench.builds(tenantId)).toEqual(["1 v1 live 1"]);
});

test("P13: a batch holds fewer events the larger they are, and more of small ones", async () => {
  const bench = new ProjectionBench();
  const tenantId = newTenantId();
  for (let event = 0; event < 700; event++) await bench.publish(tenantId, "create", `${event}`, { plan: "free" });
  const { reader } = bench.log;
  /** How many events each read asked for, of rows that have so many characters more. */
  const limitsOf = async (characters: number): Promise<readonly unknown[]> => {
    const asked: unknown[] = [];
    const padding = " ".repeat(characters);
    const padded: LogReader = {
      ...reader,
      read: async (of, query) => {
        asked.push(query.limit);
        return (await reader.read(of, query)).map((row): EventRow => ({ ...row, specText: row.specText + padding }));
      },
    };
    await bench.ask("reset", tenantId);
    await (await bench.next({ reader: padded })).catchUp();
    return asked;
  };
  await bench.runner().catchUp();
  expect((await limitsOf(0)).slice(0, 4)).toEqual([100, 200, 400, 800]);
  expect((await limitsOf(250_000)).slice(0, 4)).toEqual([100, 50, 25, 25]);
});

test("a process that can apply what stopped the one before goes on, and the stop is over", async () => {
  const bench = new ProjectionBench();
  const tenantId = newTenantId();
  await bench.publish(tenantId, "create", "a", { plan: "poison" });
  await bench.runner().catchUp();
  const { definition } = bench;
  const apply = new Map([...definition.apply, ["organization.create", () => undefined] as const]);
  await (await bench.next({ definition: { ...definition, apply } })).catchUp();
  expect((await bench.store.tenant(tenantId)).failure).toBeUndefined();
  expect(await bench.builds(tenantId)).toEqual(["1 v1 live 1"]);
});

interface SmallTables {
  readonly n: { add(key: string, by?: number): void };
  readonly d: Documents;
  readonly g: { put(member: string, values: { readonly plan: string }): void };
}

/** A projection of a few tables, for one type. */
function small(apply: (tables: SmallTables) => unknown) {
  return defineProjection({
    name: "small",
    tables: {
      n: counter(),
      d: documents({ type: "object", additionalProperties: true }),
      g: groupBy({ by: ["plan"] }),
    },
    apply: { "organization.create": (_event, tables) => apply(tables as never) as undefined },
  }).definition;
}
interface Documents {
  get(key: string): unknown;
  set(key: string, value: unknown): void;
}

test.each<readonly [string, Parameters<typeof small>[0]]>([
  ["asynchronous", async () => undefined],
  ["no whole number", ({ n }) => n.add("a", 0.5)],
  ["no text of 1 to 256 characters", ({ n }) => n.add("")],
  ["no text of 1 to 256 characters", ({ n }) => n.add("x".repeat(257))],
  ["no text of 1 to 256 characters", ({ n }) => n.add("\u0000")],
  ["NUL or half a character", ({ g }) => g.put("a", { plan: "\u0000" })],
  ["NUL or half a character", ({ g }) => g.put("a", { plan: "\u{1f600}".slice(0, 1) })],
  ["no text of 1 to 256 characters", ({ g }) => g.put("a", { plan: "x".repeat(253) })],
  ["is not JSON", ({ d }) => d.set("a", new Date(0))],
  ["does not fit its schema", ({ d }) => d.set("a", 1)],
  ["more than 65536 bytes", ({ d }) => d.set("a", { text: "x".repeat(70_000) })],
  ["changes more than 256 rows", ({ n }) => Array.from({ length: 257 }, (_, index) => n.add(`${index}`))],
])("projection_invalid: an apply is refused that is %s", async (why, apply) => {
  const bench = new ProjectionBench(small(apply));
  const tenantId = newTenantId();
  await bench.publish(tenantId, "create", "a");
  await bench.runner().catchUp();
  const { failure } = await bench.store.tenant(tenantId);
  expect(failure).toMatchObject({ code: "projection_invalid", position: 1 });
  expect(failure?.message).toContain(why);
});

test("an event counts whole or not at all", async () => {
  const bench = new ProjectionBench(
    small(({ n }) => {
      n.add("half");
      throw new Error("no");
    }),
  );
  const tenantId = newTenantId();
  await bench.publish(tenantId, "create", "a");
  await bench.runner().catchUp();
  expect(await bench.rows(tenantId)).toEqual({});
});

test.each([
  [16, undefined],
  [17, "projection_invalid"],
])("rows whose keys are in other rows are found along a chain of %s rows or fail with %s", async (length, code) => {
  const links = documents({ type: "object", properties: { next: { type: "string" } }, required: ["next"] } as const);
  const { definition } = defineProjection({
    name: "chain",
    tables: { links, found: counter() },
    apply: {
      "organization.create": (event, tables) => {
        tables.links.set(event.aggregateId, { next: String(event.spec.next) });
      },
      "organization.change-plan": (_event, tables) => {
        let key = "0";
        for (let link = 0; link < length; link++) key = tables.links.get(key)?.next ?? "none";
        tables.found.add(key);
      },
    },
  });
  const bench = new ProjectionBench(definition);
  const tenantId = newTenantId();
  for (let link = 0; link < 20; link++) await bench.publish(tenantId, "create", `${link}`, { next: `${link + 1}` });
  await bench.runner().catchUp();
  await bench.publish(tenantId, "change-plan", "0");
  await (await bench.next()).catchUp();
  expect((await bench.store.tenant(tenantId)).failure?.code).toBe(code);
  expect((await bench.rows(tenantId))[`found_totals ${length}`]).toEqual(code === undefined ? [1] : undefined);
});

test("an event that does not continue the log stops its tenant", async () => {
  const bench = new ProjectionBench();
  const tenantId = newTenantId();
  for (const id of ["a", "b", "c"]) await bench.publish(tenantId, "create", id, { plan: "free" });
  const tampered: LogReader = {
    ...bench.log.reader,
    read: async (of, query) =>
      (await bench.log.reader.read(of, query)).map(
        (row): EventRow => (row.position === 2 ? { ...row, previousHash: Buffer.alloc(32) } : row),
      ),
  };
  await bench.runner({ reader: tampered }).catchUp();
  expect(await bench.builds(tenantId)).toEqual(["1 v1 live 1"]);
  expect((await bench.store.tenant(tenantId)).failure).toMatchObject({ code: "verification_failed", position: 2 });
});

test("a log that ends before what is in the tables stops its tenant", async () => {
  const bench = new ProjectionBench();
  const tenantId = newTenantId();
  for (const id of ["a", "b"]) await bench.publish(tenantId, "create", id, { plan: "free" });
  await bench.runner().catchUp();
  await bench.publish(tenantId, "create", "c", { plan: "free" });
  const { reader } = bench.log;
  const cut: LogReader = {
    ...reader,
    read: async () => [],
    head: async (of) => ({ ...(await reader.head(of)), position: 1 }),
  };
  await (await bench.next({ reader: cut })).catchUp();
  expect((await bench.store.tenant(tenantId)).failure).toMatchObject({ code: "verification_failed", position: 2 });
  expect(await bench.builds(tenantId)).toEqual(["1 v1 live 2"]);
});
