/** A test plane that listens: real HTTP over memory, on the plane's own time. */
import { Type } from "typebox";
import { afterEach, describe, expect, test } from "vitest";
import { createClient } from "../src/client/index.js";
import { counter, defineAggregate, defineApp, defineController, defineProjection, done } from "../src/index.js";
import { type TestPlane, testPlane } from "../src/testing/index.js";

const organization = defineAggregate("organization", {
  spec: Type.Object({ name: Type.String() }),
  intents: { create: { creates: true } },
});
const quota = defineController({ name: "quota", watches: organization, reconcile: () => done({ members: 3 }) });
const types = defineProjection({
  name: "types",
  from: [organization],
  tables: { created: counter() },
  apply: {
    "organization.create": ({ aggregateId, spec }, { created }) => {
      if (aggregateId === "poison") throw new Error("of the team");
      created.add(spec.name);
    },
  },
});
const app = defineApp({ aggregates: [organization], controllers: [quota], projections: [types] });

let plane: TestPlane | undefined;
afterEach(() => plane?.close());

describe("testPlane().listen", () => {
  test("serves clients: publish, settled resources, subscriptions, projections and how they stand", async () => {
    const p = await testPlane(app, { now: "2026-03-01T00:00:00Z" });
    plane = p;
    expect(p.url).toBeUndefined();
    const baseUrl = await p.listen();
    expect([p.url, await p.listen()]).toEqual([baseUrl, baseUrl]);
    const grants = ["publisher", "reader", "subscriber", "admin"] as const;
    const { key: apiKey = "" } = await p.createKey("acme", { name: "test", grants });
    const client = createClient({ baseUrl, tenant: "acme", apiKey });

    const receipt = await client.publish(organization.create({ name: "Acme" }, { aggregateId: "acme" }));
    expect(receipt.recordedAt).toBe("2026-03-01T00:00:00.000000Z");
    await p.settle();
    expect(await client.resource("organization", "acme")).toMatchObject({
      phase: "Ready",
      status: { quota: { members: 3 } },
    });
    expect((await p.resource(organization, "acme")).phase).toBe("Ready");

    const read = async (path: string): Promise<unknown> =>
      (await fetch(`${baseUrl}/v1/${path}`, { headers: { authorization: `Bearer ${apiKey}` } })).json();
    const counted = await read("tenants/acme/projections/types?table=created");
    expect(counted).toMatchObject({ rows: [{ key: "Acme" }] });
    expect(await read("admin/projections")).toMatchObject({
      projections: [{ name: "types", state: "running", lagEvents: 0 }],
    });

    await p.publish(organization.create({ name: "Poison" }, { aggregateId: "poison" }));
    await p.settle();
    expect(await read("admin/projections/types")).toMatchObject({ state: "stopped" });

    await p.close();
    await expect(fetch(`${baseUrl}/livez`)).rejects.toThrow("fetch failed");
  });
});
