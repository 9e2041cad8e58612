/** Dead letters as administrators see them and decide on them: over HTTP, on a whole plane. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type EventplaneClient } from "../src/client/index.js";
import type { EventRow } from "../src/event/index.js";
import { isEventplaneError, type JsonObject, systemClock, TerminalError } from "../src/kernel/index.js";
import { type TestReconcile, testCustomer, testDecision, testDone } from "../src/testing/index.js";
import { create, inPhase, PlaneFixture, type PlaneTenant, until } from "./support/plane-fixture.js";

/** Organizations whose names begin so cannot be decided on. */
let broken: readonly string[] = [];
const calls: string[] = [];
const customer = testCustomer(
  ({ input }) => {
    calls.push(String(input["name"]));
    throw new Error("no service");
  },
  { onUnknown: "retry", retry: { attempts: 1 }, breaker: { failures: 1_000 } },
);
const transfer = { ...customer.definition, name: "transfer", onUnknown: "hold" as const };

const quota: TestReconcile = ({ resource }) => {
  if (!broken.some((start) => resource.aggregateId.startsWith(start))) return testDone();
  throw resource.aggregateId.includes("terminal") ? new TerminalError("It cannot be.") : new TypeError("secret");
};
const billing: TestReconcile = ({ resource, effects }) => {
  const { worker, name } = resource.spec;
  if (worker === undefined) return testDone();
  return testDecision(
    effects.get<object, object>(
      { definition: worker === "transfer" ? transfer : customer.definition },
      { name: String(name) },
    ),
  );
};

let plane: PlaneFixture;
let admin: EventplaneClient["admin"];

beforeAll(async () => {
  plane = await PlaneFixture.open({ quota, billing }, { workers: [customer.definition, transfer] });
  admin = createClient({ baseUrl: plane.url, apiKey: plane.adminKey }).admin;
});
afterAll(() => plane.close());

const codeOf = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => undefined,
    (error: unknown) => (isEventplaneError(error) ? error.code : "foreign"),
  );

async function lettersOf({ slug: tenant }: PlaneTenant, count: number): Promise<void> {
  try {
    await until(`${count} dead letters`, async () =>
      (await admin.deadLetters({ tenant })).length === count ? true : undefined,
    );
  } catch (error) {
    const rows = await plane.installation.asSuperuser("select * from eventplane.work");
    throw new Error(`${JSON.stringify(rows)}\n${plane.logged.slice(-8_000)}`, { cause: error });
  }
}

const specOf = (row: EventRow | undefined): JsonObject => JSON.parse(row?.specText ?? "{}") as JsonObject; // a stored spec

describe("dead letters of two versions of the code", () => {
  it("are grouped, and those of the old one are redriven alone, with who did it in the log", async () => {
    const acme = await plane.tenant("versions");
    broken = ["old", "new"];
    for (const id of ["old-1", "old-2", "old-terminal"]) await create(acme, id);
    await lettersOf(acme, 3);
    await plane.stop();
    await plane.start({ version: "v2" });
    admin = createClient({ baseUrl: plane.url, apiKey: plane.adminKey }).admin;
    const later = await plane.tenant("versions");
    await create(later, "new-1");
    await lettersOf(later, 4);

    const groups = await admin.deadLetterGroups({ tenant: "versions" });
    expect(groups.map(({ component, code, codeVersion, count }) => [component, code, codeVersion, count])).toEqual([
      ["quota", "TypeError", "v1", 2],
      ["quota", "TypeError", "v2", 1],
      ["quota", "terminal_error", "v1", 1],
    ]);
    expect(
      (await admin.deadLetters({ tenant: "versions", code: "terminal_error" })).map(({ aggregateId }) => aggregateId),
    ).toEqual(["old-terminal"]);

    broken = [];
    const wish = { filter: { codeVersion: "v1", component: "quota" } };
    const decided = await admin.redriveAll(wish, { tenant: "versions" });
    expect(decided).toMatchObject({ dryRun: false, matched: 3, decided: 3, skipped: 0, heldLeft: 0 });
    for (const id of ["old-1", "old-2", "old-terminal"]) await inPhase(later, id, "Ready");
    expect((await admin.deadLetters({ tenant: "versions" })).map(({ aggregateId }) => aggregateId)).toEqual(["new-1"]);

    const log = (await plane.log(later.id)).filter(({ aggregateType }) => aggregateType === "dead-letter");
    const [request, ...decisions] = log;
    expect(request).toMatchObject({ type: "dead-letter.redrive-requested", aggregateId: decided.requestId });
    expect(specOf(request)).toEqual({ filter: wish.filter, matched: 3, ratePerSecond: 100 });
    expect(decisions.map(({ type, causationId }) => [type, causationId])).toEqual(
      Array.from({ length: 3 }, () => ["dead-letter.redriven", request?.id]),
    );
    for (const row of log)
      expect(JSON.parse(row.causedByText)).toMatchObject({ via: "http", keyId: expect.any(String) });
  });
});

describe("a decision by filter", () => {
  it("that is tried dry says what it would do and does nothing", async () => {
    const acme = await plane.tenant("dry");
    broken = ["a"];
    await create(acme, "a-1");
    await create(acme, "a-2");
    await lettersOf(acme, 2);
    const before = (await plane.log(acme.id)).length;
    const redriven = await admin.redriveAll({ all: true, dryRun: true, ratePerSecond: 2 }, { tenant: "dry" });
    expect(redriven).toEqual({ dryRun: true, matched: 2, heldLeft: 0, takesMs: 500, decided: 0, skipped: 0 });
    const discarded = await admin.discardAll({ filter: { aggregateId: "a-2" }, dryRun: true }, { tenant: "dry" });
    expect(discarded).toMatchObject({ matched: 1, decided: 0, takesMs: 0 });
    expect(await admin.deadLetters({ tenant: "dry" })).toHaveLength(2);
    expect((await plane.log(acme.id)).length).toBe(before);
  });

  it("lets so many a second try again, and no more", async () => {
    const acme = await plane.tenant("rate");
    broken = ["r"];
    const ids = Array.from({ length: 5 }, (_, n) => `r-${n}`);
    for (const id of ids) await create(acme, id);
    await lettersOf(acme, 5);
    broken = [];
    const { takesMs } = await admin.redriveAll({ all: true, ratePerSecond: 10 }, { tenant: "rate" });
    expect(takesMs).toBe(400);
    for (const id of ids) await inPhase(acme, id, "Ready");
    const log = await plane.log(acme.id);
    const delays = log.filter(({ type }) => type === "dead-letter.redriven").map((row) => specOf(row).delayMs ?? 0);
    expect(delays).toEqual([0, 100, 200, 300, 400]);
    const readyUs = log.filter(({ type }) => type === "organization.ready").map(({ recordedAtUs }) => recordedAtUs);
    expect(Math.max(...readyUs) - Math.min(...readyUs)).toBeGreaterThan(300_000);
  });

  it("gives all that it means up for good", async () => {
    const acme = await plane.tenant("discard");
    broken = ["d"];
    await create(acme, "d-1");
    await create(acme, "d-2");
    await lettersOf(acme, 2);
    const decided = await admin.discardAll({ filter: { aggregateType: "organization" } }, { tenant: "discard" });
    expect(decided).toMatchObject({ matched: 2, decided: 2 });
    await lettersOf(acme, 0);
    const log = await plane.log(acme.id);
    expect(log.filter(({ type }) => type === "dead-letter.discarded")).toHaveLength(2);
    expect(log.filter(({ type }) => type === "dead-letter.discard-requested")).toHaveLength(1);
  });

  it("means at most 10,000 letters, and decides on all of them", { timeout: 120_000 }, async () => {
    const acme = await plane.tenant("many");
    const dead = (count: number): Promise<unknown> =>
      plane.installation.asSuperuser(
        `insert into eventplane.work (tenant_id, aggregate_type, aggregate_id, component, state, dead_since, attempts,
           failure_code, failure_message, failed_generation, failed_code_version)
         select $1, 'organization', 'many-' || n, 'quota', 'dead', now(), 5, 'Error', 'The controller threw Error.', 1, 'v1'
         from generate_series(1, ${count}) n on conflict do nothing`,
        [acme.id],
      );
    await dead(10_001);
    const wish = { filter: { code: "Error" }, ratePerSecond: 1_000 };
    expect(await codeOf(admin.redriveAll({ ...wish, dryRun: true }, { tenant: "many" }))).toBe("request_invalid");
    await plane.installation.asSuperuser(
      "delete from eventplane.work where tenant_id = $1 and aggregate_id = 'many-10001'",
      [acme.id],
    );
    const decided = await admin.redriveAll(wish, { tenant: "many" });
    expect(decided).toMatchObject({ matched: 10_000, decided: 10_000, takesMs: 9_999 });
    const open = "select count(*)::int as n from eventplane.work where tenant_id = $1 and state <> 'idle'";
    for (let left = Number.NaN; left !== 0; await systemClock.sleep(100))
      left = (await plane.installation.asSuperuser<{ n: number }>(open, [acme.id]))[0]?.n ?? 0;
    expect(await admin.deadLetterGroups({ tenant: "many" })).toEqual([]);
    const facts = (await plane.log(acme.id)).filter(({ type }) => type === "dead-letter.redriven");
    expect(new Set(facts.map(({ aggregateId }) => aggregateId)).size).toBe(10_000);
  });

  it("has to say what it means, in its own tenant, at a rate that can be kept", async () => {
    const tenant = { tenant: "dry" };
    const wrong: readonly object[] = [
      {},
      { filter: {} },
      { filter: { code: "Error" }, all: true },
      { filter: { colour: "red" } },
      { filter: { code: 5 } },
      { filter: { code: "a b" } },
      { filter: { sinceFrom: "yesterday" } },
      { filter: [] },
      { all: "yes" },
      { all: true, ratePerSecond: 0 },
      { all: true, ratePerSecond: 1_001 },
    ];
    for (const wish of wrong)
      expect(await codeOf(admin.redriveAll(wish, tenant)), JSON.stringify(wish)).toBe("request_invalid");
    expect(await codeOf(admin.discardAll({ all: true, ratePerSecond: 5 } as object, tenant))).toBe("forbidden_field");
    const { key } = await admin.createKey("versions", { name: "admin", grants: ["admin"] });
    const stranger = createClient({ baseUrl: plane.url, apiKey: key }).admin;
    expect(await codeOf(stranger.redriveAll({ all: true }, tenant))).toBe("forbidden");
    expect(await codeOf(stranger.deadLetterGroups(tenant))).toBe("forbidden");
  });
});

describe("what stands", () => {
  it("is counted in the metrics and told by /readyz, which stays 200", async () => {
    const told = await until("the next look", async () => {
      const response = await fetch(`${plane.url}/readyz`);
      const { degraded } = (await response.json()) as { readonly degraded: readonly string[] }; // /readyz has it always
      return response.status === 200 && degraded.some((line) => line.startsWith("dead_letters: "))
        ? degraded
        : undefined;
    });
    expect(told).toContainEqual(expect.stringMatching(/^dead_letters: \d+$/));
    const metrics = await (await fetch(`${plane.url}/metrics`)).text();
    expect(metrics).toMatch(/^eventplane_dead_letters\{component="quota"\} [1-9]/m);
  });
});

describe("a dead letter of an effect", () => {
  it("that is discarded has failed for the controller that asked", async () => {
    const acme = await plane.tenant("effects");
    await create(acme, "gone", { worker: "customer", name: "gone" });
    await lettersOf(acme, 1);
    const [letter] = await admin.deadLetters({ tenant: "effects" });
    expect(letter).toMatchObject({
      resource: { aggregateType: "organization", aggregateId: "gone" },
      component: "effect:customer",
    });
    await admin.discard(letter?.id ?? "", { tenant: "effects" });
    const resource = await until("the controller to see it", async () => {
      const found = await acme.client.resource("organization", "gone");
      return found.conditions.some(({ type }) => type === "Refused") ? found : undefined;
    });
    expect(resource.conditions.filter(({ component }) => component !== "runtime")).toMatchObject([
      { type: "Refused", message: "discarded", component: "billing" },
    ]);
    expect(resource.effects).toMatchObject([{ state: "failed", worker: "customer" }]);
    expect(calls.filter((name) => name === "gone")).toHaveLength(1);
    const types = (await plane.log(acme.id)).map(({ type }) => type);
    expect(types).toEqual(
      expect.arrayContaining(["dead-letter.discarded", "effect.resolved", "organization.effect-failed"]),
    );
    expect(await admin.effects({ tenant: "effects" })).toEqual([]);
  });

  it("whose call nobody knows the outcome of is left alone by a filter that does not name it", async () => {
    const acme = await plane.tenant("held");
    await create(acme, "held", { worker: "transfer", name: "held" });
    await lettersOf(acme, 1);
    const left = { matched: 0, decided: 0, heldLeft: 1 };
    expect(await admin.redriveAll({ all: true }, { tenant: "held" })).toMatchObject(left);
    expect(await admin.discardAll({ filter: { component: "effect:transfer" } }, { tenant: "held" })).toMatchObject(
      left,
    );
    expect(await admin.discardAll({ filter: { code: "effect_held" } }, { tenant: "held" })).toMatchObject({
      decided: 1,
    });
    const failed = await until("its failure", async () =>
      (await plane.log(acme.id)).find(({ type }) => type === "organization.effect-failed"),
    );
    expect(JSON.parse(failed.statusText)).toMatchObject({ failed: { code: "discarded" } });
    expect(calls.filter((name) => name === "held")).toHaveLength(1);
  });
});
