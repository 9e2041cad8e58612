/** Replays on whole planes: over HTTP, by several processes, over restarts, and what they may not do. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type EventplaneClient, type ReplayInfo } from "../src/client/index.js";
import { verifyLink } from "../src/event/index.js";
import { isEventplaneError, PLATFORM_TENANT_ID } from "../src/kernel/index.js";
import { type TestReconcile, testCustomer, testDecision, testDone } from "../src/testing/index.js";
import { create, inPhase, PlaneFixture, type PlaneTenant, until } from "./support/plane-fixture.js";

let suffix = "";
let members = 1;
const calls: string[] = [];
const customer = testCustomer(
  ({ input }) => {
    calls.push(String(input["name"]));
    return { id: `cus_${String(input["name"])}` };
  },
  { concurrency: 64 },
);
const billing: TestReconcile = ({ resource, effects }) =>
  testDecision(effects.get<object, object>(customer, { name: `${resource.aggregateId}${suffix}` }));
const quota: TestReconcile = () => testDone({ members });

let plane: PlaneFixture;
let admin: EventplaneClient["admin"];

beforeAll(async () => {
  plane = await PlaneFixture.open({ billing, quota }, { workers: [customer.definition] });
  admin = createClient({ baseUrl: plane.url, apiKey: plane.adminKey }).admin;
});
afterAll(() => plane.close());

const codeOf = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => undefined,
    (error: unknown) => (isEventplaneError(error) ? error.code : "foreign"),
  );

const endOf = (id: string, tenant: string, state: ReplayInfo["state"] = "completed"): Promise<ReplayInfo> =>
  until(`replay ${id} to be ${state}`, async () => {
    const replay = await admin.replays.get(id, { tenant });
    return replay.state === state ? replay : undefined;
  });

/** Organizations that are Ready, published in pages. */
async function ready(tenant: PlaneTenant, count: number): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    const intents = Array.from({ length: Math.min(500, count - from) }, (_, n) => ({
      type: "organization.create",
      aggregateId: `org-${from + n}`,
      spec: {},
    }));
    await tenant.client.publishMany(intents);
  }
  const sql = "select count(*)::int as n from eventplane.events where tenant_id = $1 and type = 'organization.ready'";
  for (;;) {
    const [row] = await plane.installation.asSuperuser<{ n: number }>(sql, [tenant.id]);
    if (row?.n === count) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await plane.idle(tenant.id);
}

describe("history given again", () => {
  it("attack 22: a replay of 10,000 events with workers attached makes no outside call", {
    timeout: 180_000,
  }, async () => {
    const acme = await plane.tenant("attack");
    await ready(acme, 1_450);
    const before = await plane.log(acme.id);
    expect(before.length).toBeGreaterThanOrEqual(10_000);
    const made = calls.length;
    expect(made).toBe(1_450);

    const same = await admin.replays.create(
      { target: { controller: "billing" }, ratePerSecond: 10_000 },
      { tenant: "attack" },
    );
    expect((await endOf(same.id, "attack")).progress).toMatchObject({
      events: before.length,
      results: { unchanged: 1_450 },
    });

    // The code of today would ask for something else of every one of them.
    suffix = "-again";
    const other = await admin.replays.create(
      { target: { controller: "billing" }, ratePerSecond: 10_000 },
      { tenant: "attack" },
    );
    expect((await endOf(other.id, "attack")).progress).toMatchObject({
      events: before.length,
      results: { withheld: 1_450 },
    });
    await plane.idle(acme.id);
    expect(calls.length).toBe(made);
    const added = (await plane.log(acme.id)).slice(before.length);
    expect(added).toEqual([]);

    const allowed = await admin.replays.create(
      { target: { controller: "billing" }, filter: { aggregateIds: ["org-7"] }, allowEffects: true },
      { tenant: "attack" },
    );
    await endOf(allowed.id, "attack");
    await until("the call that was allowed", async () => (calls.length > made ? true : undefined));
    expect(calls.slice(made)).toEqual(["org-7-again"]);
    suffix = "";
  });
});

describe("a replay", () => {
  it("gives an incident's resources to the corrected controller alone, and every step is an event that says who", async () => {
    const acme = await plane.tenant("incident");
    for (const id of ["hit-1", "hit-2", "spared"]) await create(acme, id);
    for (const id of ["hit-1", "hit-2", "spared"]) await inPhase(acme, id, "Ready");
    await plane.idle(acme.id);
    members = 5;
    const filter = { aggregateIds: ["hit-1", "hit-2"] };
    const dry = await admin.replays.create(
      { target: { controller: "quota" }, filter, dryRun: true },
      { tenant: "incident" },
    );
    expect((await endOf(dry.id, "incident")).progress.results).toEqual({ changed: 2 });
    const { id } = await admin.replays.create({ target: { controller: "quota" }, filter }, { tenant: "incident" });
    expect((await endOf(id, "incident")).progress).toMatchObject({ results: { changed: 2 }, firstFailure: null });
    await plane.idle(acme.id);
    const quotas = await Promise.all(
      ["hit-1", "hit-2", "spared"].map((name) => acme.client.resource("organization", name)),
    );
    expect(quotas.map(({ status }) => status)).toMatchObject([5, 5, 1].map((n) => ({ quota: { members: n } })));
    members = 1;

    const stream = await plane.installation.reader.readStream(PLATFORM_TENANT_ID, {
      aggregateType: "replay",
      aggregateId: id,
    });
    expect(stream.map(({ type }) => type)).toEqual(["replay.create", "replay.create.replayer", "replay.ready"]);
    const verifier = await plane.verifier();
    for (const row of stream) {
      verifier.verify(row);
      expect(JSON.parse(row.causedByText)).toMatchObject({ via: "http", principal: { type: "service" } });
    }
    expect((await admin.replays.list({ tenant: "incident" })).map((replay) => replay.id)).toEqual([id, dry.id]);
    expect(await admin.replays.list({ tenant: "attack" })).not.toContainEqual(expect.objectContaining({ id }));
  });

  it("is paused, survives the end of its process, is taken up by another one and cancelled", async () => {
    const acme = await plane.tenant("course");
    await ready(acme, 60);
    const wish = { target: { controller: "quota" }, filter: { types: ["organization.create"] }, ratePerSecond: 10 };
    const { id } = await admin.replays.create(wish, { tenant: "course" });
    await until("a first slice", async () =>
      (await admin.replays.get(id, { tenant: "course" })).progress.events > 0 ? true : undefined,
    );
    expect(await admin.replays.pause(id, { tenant: "course" })).toMatchObject({ wanted: "paused" });
    const paused = await endOf(id, "course", "paused");
    expect(paused.progress.events).toBeLessThan(60);

    await plane.stop();
    await Promise.all([plane.start(), plane.start()]);
    admin = createClient({ baseUrl: plane.url, apiKey: plane.adminKey }).admin;
    expect((await admin.replays.get(id, { tenant: "course" })).progress).toEqual(paused.progress);
    await admin.replays.resume(id, { tenant: "course" });
    await until("the next slice", async () => {
      const { progress } = await admin.replays.get(id, { tenant: "course" });
      return progress.events > paused.progress.events ? true : undefined;
    });
    await admin.replays.cancel(id, { tenant: "course" });
    const { progress } = await endOf(id, "course", "cancelled");
    expect(progress.events).toBeLessThan(60);
    for (const change of ["pause", "resume", "cancel"] as const)
      expect(await codeOf(admin.replays[change](id, { tenant: "course" }))).toBe("replay_ended");
    let link: Parameters<typeof verifyLink>[1];
    for (const row of await plane.log(PLATFORM_TENANT_ID)) link = verifyLink(row, link);
    expect(link).toBeDefined();
  });

  it("goes on after its process was killed, and two processes give nothing twice", async () => {
    const acme = await plane.tenant("killed");
    await ready(acme, 40);
    const { id } = await admin.replays.create(
      { target: { controller: "quota" }, filter: { types: ["organization.create"] }, ratePerSecond: 20 },
      { tenant: "killed" },
    );
    await until("a first slice", async () =>
      (await admin.replays.get(id, { tenant: "killed" })).progress.events > 0 ? true : undefined,
    );
    // As kill -9 leaves it: leased by nobody who lives, until the lease runs out.
    await plane.installation.asSuperuser(
      "update eventplane.work set lease_token = gen_random_uuid(), due_at = now() + interval '300 ms', lease_until = now() + interval '300 ms' where component = 'replayer' and aggregate_id = $1",
      [id],
    );
    const { progress } = await endOf(id, "killed");
    expect(progress).toMatchObject({ events: 40, results: { unchanged: 40 } });
    const types = (await plane.log(acme.id)).map(({ type }) => type);
    expect(types.filter((type) => type === "organization.create.quota")).toHaveLength(40);
  });

  it("names one consumer that there is, a tenant, and events that mean something to it", async () => {
    const tenant = { tenant: "incident" };
    const target = { controller: "quota" };
    const wrong: readonly (readonly [object, string])[] = [
      [{}, "request_invalid"],
      [{ target: {} }, "request_invalid"],
      [{ target: { controller: "*" } }, "replay_target_unknown"],
      [{ target: { controller: "runtime" } }, "replay_target_unknown"],
      [{ target: { controller: "quota", everyone: true } }, "request_invalid"],
      [{ target: [target] }, "request_invalid"],
      [{ target, filter: { aggregateType: "replay" } }, "request_invalid"],
      [{ target, filter: { colour: "red" } }, "request_invalid"],
      [{ target, filter: { aggregateIds: [] } }, "request_invalid"],
      [{ target, filter: { before: 0 } }, "request_invalid"],
      [{ target, filter: { recordedFrom: "2016-12-31T23:59:60Z" } }, "request_invalid"],
      [{ target, ratePerSecond: 0 }, "request_invalid"],
      [{ target, ratePerSecond: 1e9 }, "request_invalid"],
      [{ target, dryRun: "yes" }, "request_invalid"],
      [{ target, wanted: "paused" }, "forbidden_field"],
    ];
    for (const [wish, code] of wrong) {
      expect([
        wish,
        await codeOf(admin.replays.create(wish as Parameters<typeof admin.replays.create>[0], tenant)),
      ]).toEqual([wish, code]);
    }
    expect(await codeOf(admin.replays.create({ target }))).toBe("request_invalid");
    const missing = "0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11";
    expect(await codeOf(admin.replays.get(missing, tenant))).toBe("not_found");
    expect(await codeOf(admin.replays.pause(missing, tenant))).toBe("not_found");
  });

  it("is one of at most 16 of its tenant that have not ended", async () => {
    const tenant = { tenant: "open" };
    await plane.tenant("open");
    for (let n = 0; n < 2; n++) {
      const { id } = await admin.replays.create({ target: { controller: "quota" } }, tenant);
      await endOf(id, "open");
    }
    const acme = await plane.tenant("open");
    await create(acme, "one");
    await inPhase(acme, "one", "Ready");
    const wish = { target: { controller: "quota" }, ratePerSecond: 0.1 };
    for (let n = 0; n < 16; n++) await admin.replays.create(wish, tenant);
    expect(await codeOf(admin.replays.create(wish, tenant))).toBe("replays_open");
    for (const { id, state } of await admin.replays.list(tenant))
      if (state !== "completed") await admin.replays.cancel(id, tenant);
  });

  it("of a tenant is neither shown to others nor theirs to change; its own admin may", async () => {
    const [{ id } = { id: "" }] = await admin.replays.list({ tenant: "incident" });
    const adminOf = async (slug: string): Promise<EventplaneClient["admin"]> => {
      const { key } = await admin.createKey(slug, { name: "admin", grants: ["admin"] });
      return createClient({ baseUrl: plane.url, apiKey: key }).admin;
    };
    const [own, stranger] = [await adminOf("incident"), await adminOf("course")];
    await until("the keys to be known", () => own.replays.list().catch(() => undefined));
    await until("the keys to be known", () => stranger.replays.list().catch(() => undefined));
    expect((await own.replays.list()).map((replay) => replay.id)).toContain(id);
    expect((await own.replays.get(id)).state).toBe("completed");
    const made = await own.replays.create({ target: { controller: "quota" }, dryRun: true });
    expect((await endOf(made.id, "incident")).dryRun).toBe(true);
    expect(await codeOf(stranger.replays.list({ tenant: "incident" }))).toBe("forbidden");
    expect(await codeOf(stranger.replays.create({ target: { controller: "quota" } }, { tenant: "incident" }))).toBe(
      "forbidden",
    );
    expect(await codeOf(stranger.replays.get(id))).toBe("not_found");
    expect(await codeOf(stranger.replays.cancel(id))).toBe("not_found");
  });

  it("is bookkeeping that the edge reads for the tenant that it serves, and changes nothing of", async () => {
    const edge = plane.installation.pool("edge");
    expect((await edge.query("select 1 from eventplane.replays")).rows).toEqual([]);
    await expect(edge.query("delete from eventplane.replays")).rejects.toThrow(/permission denied/);
    await expect(edge.query("update eventplane.replays set position = 0")).rejects.toThrow(/permission denied/);
  });
});
