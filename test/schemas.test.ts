/** Versions of schemas over a whole plane: the log keeps what was written, readers see what the application says now. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { defineAggregate, defineApp, defineController, done } from "../src/controller/index.js";
import type { AppDefinition, Upcaster } from "../src/event/index.js";
import type { JsonObject } from "../src/kernel/index.js";
import { defineProjection, latest } from "../src/projection/index.js";
import { inPhase, PlaneFixture, type PlaneTenant, until } from "./support/plane-fixture.js";

const first = z.object({ name: z.string(), members: z.int() });
const second = z.object({ name: z.string(), seats: z.int() });

/** Breaks on one name, so that one tenant has an event that cannot be lifted. */
const toSeats: Upcaster = ({ name = "", members = 0 }) => {
  if (name === "poison") throw new RangeError("poison");
  return { name, seats: members };
};

function appOf(schemaVersion: 1 | 2): AppDefinition {
  const create =
    schemaVersion === 1
      ? ({ creates: true, schema: first } as const)
      : ({ creates: true, schema: second, schemaVersion, upcasters: { 1: toSeats } } as const);
  const spec = z.object({ name: z.string(), members: z.int().optional(), seats: z.int().optional() });
  const organization = defineAggregate("organization", {
    spec,
    intents: { create, rename: { schema: z.object({ name: z.string() }) } },
  });
  const guarded = defineAggregate("guarded", { spec, intents: { create }, guard });
  const quota = defineController({
    name: "quota",
    watches: organization,
    reconcile: ({ resource }) => done({ saw: Object.keys(resource.spec).sort().join() }),
  });
  const sizes = defineProjection({
    name: "sizes",
    version: schemaVersion,
    tables: { last: latest(z.object({ saw: z.string() })) },
    apply: {
      "organization.create": ({ aggregateId, spec }, { last }) =>
        last.set(aggregateId, { saw: Object.keys(spec).sort().join() }),
    },
  });
  return defineApp({ aggregates: [organization, guarded], controllers: [quota], projections: [sizes] });
}

/** Says what it has seen. */
function guard(_resource: unknown, { spec }: { readonly spec: JsonObject }): string | undefined {
  return `It has ${Object.keys(spec).sort().join()}.`;
}

describe("versions of schemas", () => {
  let fixture: PlaneFixture;
  let tenant: PlaneTenant;
  let poisoned: PlaneTenant;

  const get = async (path: string, of: PlaneTenant = tenant): Promise<JsonObject> => {
    const response = await fetch(`${fixture.url}/v1/tenants/${of.slug}${path}`, {
      headers: { authorization: `Bearer ${of.key}` },
    });
    return (await response.json()) as JsonObject; // each route answers with an object
  };
  const createIn = (of: PlaneTenant, aggregateId: string, intent: object): Promise<unknown> =>
    of.client.publish({ type: "organization.create", aggregateId, ...(intent as { spec: object }) });

  beforeAll(async () => {
    fixture = await PlaneFixture.open({}, { app: appOf(1) });
    tenant = await fixture.tenant("acme");
    poisoned = await fixture.tenant("initech");
    await createIn(tenant, "old", { spec: { name: "Old", members: 3 } });
    await createIn(poisoned, "fine", { spec: { name: "Fine", members: 1 } });
    await createIn(poisoned, "poison", { spec: { name: "poison", members: 1 } });
    await Promise.all([inPhase(tenant, "old", "Ready"), inPhase(poisoned, "poison", "Ready")]);
    await fixture.stop();
    await fixture.start(appOf(2));
    tenant = { ...tenant, client: fixture.client(tenant.slug, tenant.key) };
    poisoned = { ...poisoned, client: fixture.client(poisoned.slug, poisoned.key) };
  });
  afterAll(() => fixture.close());

  test("controllers and projections see old events as the application says now; the log keeps and proves what was written", async () => {
    await tenant.client.publish({ type: "organization.rename", aggregateId: "old", spec: { name: "New" } });
    const resource = await until("the controller to have seen it", async () => {
      const found = await tenant.client.resource("organization", "old");
      return found.generation === 2 && found.phase === "Ready" ? found : undefined;
    });
    expect(resource).toMatchObject({ status: { quota: { saw: "name,seats" } } });
    const rows = await until("the projection to be built anew", async () => {
      const answer = await get("/projections/sizes?table=last&key=old");
      return JSON.stringify(answer).includes("name,seats") ? answer : undefined;
    });
    expect(rows).toMatchObject({ rows: [{ value: { saw: "name,seats" } }] });
    const verifier = await fixture.verifier();
    const [event] = (await fixture.log(tenant.id)).filter(({ type }) => type === "organization.create");
    expect(event).toMatchObject({ schemaVersion: 1, specText: '{"name":"Old","members":3}' });
    if (event !== undefined) expect(() => verifier.verify(event)).not.toThrow();
  });

  test("events are read as they are stored; who asks for the latest gets it beside", async () => {
    const stored = { schemaVersion: 1, spec: { name: "Old", members: 3 } };
    const page = await get("/events?type=organization.create&limit=1");
    expect(page).toMatchObject({ events: [stored] });
    expect(JSON.stringify(page)).not.toContain("latest");
    const lifted = { ...stored, latest: { schemaVersion: 2, spec: { name: "Old", seats: 3 } } };
    expect(await get("/events?type=organization.create&limit=1&schema=latest")).toMatchObject({ events: [lifted] });
    const read = await tenant.client.readPage({ type: "organization.create", limit: 1, schema: "latest" });
    expect(read.events[0]?.latest).toEqual(lifted.latest);
    expect(await get("/streams/organization/old?limit=1&schema=latest")).toMatchObject({ events: [lifted] });
    expect(await get("/events?schema=first")).toMatchObject({ code: "request_invalid" });
  });

  test("publishers may lag behind: an older version is held against its own schema, and a guard sees what it means now", async () => {
    await createIn(tenant, "late", { spec: { name: "Late", members: 4 }, schemaVersion: 1 });
    expect(await inPhase(tenant, "late", "Ready")).toMatchObject({ spec: { name: "Late", seats: 4 } });
    const page = await get("/streams/organization/late?limit=1");
    expect(page).toMatchObject({ events: [{ schemaVersion: 1, spec: { name: "Late", members: 4 } }] });
    const refusals: readonly (readonly [object, string])[] = [
      [{ spec: { name: "A", seats: 4 }, schemaVersion: 1 }, "schema_violation"],
      [{ spec: { name: "A", members: 4 } }, "schema_violation"],
      [{ spec: { name: "A", members: 4 }, schemaVersion: 3 }, "request_invalid"],
      [{ spec: { name: "poison", members: 4 }, schemaVersion: 1 }, "upcast_failed"],
    ];
    for (const [intent, code] of refusals)
      await expect(createIn(tenant, "refused", intent)).rejects.toMatchObject({ code });
    const seen = tenant.client.publish({ type: "guarded.create", spec: { name: "A", members: 1 }, schemaVersion: 1 });
    await expect(seen).rejects.toMatchObject({ code: "guard_refused", message: "It has name,seats." });
  });

  test("an event's dataschema leads to the schema that it was checked with", async () => {
    const { events: [event] = [] } = (await get("/events?type=organization.create&limit=1")) as {
      events?: readonly JsonObject[];
    };
    const response = await fetch(`${fixture.url}/v1/tenants/acme/events/${String(event?.["id"])}`, {
      headers: { authorization: `Bearer ${tenant.key}`, accept: "application/cloudevents+json" },
    });
    const { dataschema } = (await response.json()) as { readonly dataschema: string };
    expect(dataschema).toBe("eventplane:/schemas/organization.create/1");
    const schema = await get(`/schemas/${dataschema.split("/").slice(-2).join("/")}`);
    expect(schema).toMatchObject({ schemaVersion: 1, schema: { required: ["name", "members"] } });
    expect(await get("/schemas/organization.create/2")).toMatchObject({ schema: { required: ["name", "seats"] } });
    expect(await get("/schemas/organization.create/3")).toMatchObject({ code: "not_found" });
  });

  test("P10: an upcaster that throws stops who reads that event, with the reason, and nobody else", async () => {
    await poisoned.client.publish({ type: "organization.rename", aggregateId: "poison", spec: { name: "Better" } });
    await poisoned.client.publish({ type: "organization.rename", aggregateId: "fine", spec: { name: "Finer" } });
    await until("the controller to give the poisoned resource up", async () =>
      fixture.logged.includes("A resource cannot be lifted") ? true : undefined,
    );
    const log = await until("the other resource to be decided", async () => {
      const rows = await fixture.log(poisoned.id);
      return rows.some(({ type, aggregateId }) => type === "organization.rename.quota" && aggregateId === "fine")
        ? rows
        : undefined;
    });
    expect(
      log.filter(({ type, aggregateId }) => type === "organization.rename.quota" && aggregateId === "poison"),
    ).toEqual([]);
    const alarm = new RegExp(`"projection":"sizes","tenantId":"${poisoned.id}","position":2,"code":"upcast_failed"`);
    expect(fixture.logged).toMatch(alarm);
    await createIn(tenant, "after", { spec: { name: "After", seats: 1 } });
    expect(await inPhase(tenant, "after", "Ready")).toMatchObject({ spec: { seats: 1 } });
  });
});
