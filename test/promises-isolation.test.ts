/** P10 to P14 of docs/guarantees.md, each end to end on one plane: HTTP in front, PostgreSQL behind. */
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ChainLink, generateSigningKey, verifyLink } from "../src/event/index.js";
import { isEventplaneError, PLATFORM_TENANT_ID, type TenantId } from "../src/kernel/index.js";
import { testDone } from "../src/testing/index.js";
import { create, inPhase, PlaneFixture, type PlaneTenant, until } from "./support/plane-fixture.js";

const personal = "Erika Mustermann 4111111111111111";
let plane: PlaneFixture;
let acme: PlaneTenant;
let rival: PlaneTenant;

beforeAll(async () => {
  plane = await PlaneFixture.open({
    quota: ({ resource }) => {
      if (resource.aggregateId.startsWith("poison")) throw new Error(`cannot work on ${JSON.stringify(resource.spec)}`);
      return testDone({ members: 3 });
    },
  });
  acme = await plane.tenant("acme");
  rival = await plane.tenant("rival");
});
afterAll(() => plane.close());

/** After the plane was opened again, on another port. */
function reconnect(): void {
  acme = { ...acme, client: plane.client("acme", acme.key) };
  rival = { ...rival, client: plane.client("rival", rival.key) };
}

/** Answers of one address for one key: status and body, without what differs in every request. */
async function ask(key: string, path: string, init: RequestInit = {}): Promise<readonly [number, unknown]> {
  const response = await fetch(`${plane.url}${path}`, {
    ...init,
    headers: { ...init.headers, authorization: `Bearer ${key}` },
  });
  const body = (await response.json()) as { readonly requestId?: string }; // a problem or a result
  return [response.status, { ...body, requestId: undefined }];
}

describe("P10", () => {
  test("resources that are dropped and folded again are the same", async () => {
    const rows = (): Promise<object[]> =>
      plane.installation.asSuperuser(
        "select * from eventplane.resources where tenant_id = $1 order by aggregate_type, aggregate_id",
        [acme.id],
      );
    for (let n = 0; n < 10; n++) await create(acme, `p10-${n}`, { n });
    for (let n = 0; n < 10; n++) await inPhase(acme, `p10-${n}`, "Ready");
    const before = await rows();
    expect(before.length).toBeGreaterThanOrEqual(10);
    await plane.stop();
    await plane.installation.asSuperuser("delete from eventplane.resources where tenant_id = $1", [acme.id]);
    await plane.installation.asSuperuser(
      "delete from eventplane.cursors where consumer = 'resources' and tenant_id = $1",
      [acme.id],
    );
    await plane.start();
    await inPhase({ ...acme, client: plane.client("acme", acme.key) }, "p10-9", "Ready");
    expect(await rows()).toEqual(before);
    reconnect();
  });

  test("resources that stand still are counted in /readyz, which stays 200, and other tenants' go on", async () => {
    const still = await plane.tenant("still");
    await create(still, "p10");
    await inPhase(still, "p10", "Ready");
    await plane.stop();
    const sql = "update eventplane.cursors set hash = $1 where consumer = 'resources' and tenant_id = $2";
    await plane.installation.asSuperuser(sql, [Buffer.alloc(32), still.id]);
    await plane.start();
    reconnect();
    const ready = async (): Promise<readonly [number, unknown]> => {
      const response = await fetch(`${plane.url}/readyz`);
      return [response.status, await response.json()];
    };
    expect(await ready()).toEqual([200, { status: "ok", reasons: [], degraded: [] }]);
    await create({ ...still, client: plane.client("still", still.key) }, "p10-later");
    const degraded = ["resources_projection_stopped: tenants 1"];
    await until("it is counted", async () => (JSON.stringify(await ready()).includes("tenants 1") ? true : undefined));
    expect(await ready()).toEqual([200, { status: "ok", reasons: [], degraded }]);
    await create(acme, "p10-neighbour");
    await inPhase(acme, "p10-neighbour", "Ready");
  });
});

describe("P11", () => {
  test("over HTTP another tenant looks like none, and its events like none", async () => {
    const secret = await create(acme, "p11");
    const paths = [
      "/events",
      `/events/${secret.id}`,
      "/resources/organization",
      "/streams/organization/p11",
      "/subscribe?after=0",
      "/schemas",
    ];
    for (const path of paths) {
      const [foreign, absent] = [
        await ask(rival.key, `/v1/tenants/acme${path}`),
        await ask(rival.key, `/v1/tenants/nobody-at-all${path}`),
      ];
      expect([path, foreign]).toEqual([path, absent]);
      expect(foreign[0]).toBe(403);
    }
    const publishing = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"type":"organization.create","spec":{}}',
    };
    expect(await ask(rival.key, "/v1/tenants/acme/intents", publishing)).toEqual(
      await ask(rival.key, "/v1/tenants/nobody-at-all/intents", publishing),
    );
    expect(await ask(rival.key, `/v1/tenants/rival/events/${secret.id}`)).toEqual(
      await ask(rival.key, `/v1/tenants/rival/events/${acme.id}`),
    );
    const metrics = await (await fetch(`${plane.url}/metrics`)).text();
    for (const text of [acme.id, "acme", secret.id]) expect(metrics).not.toContain(text);
  });

  test("in SQL a role sees the tenant that is set, and nothing without one", async () => {
    for (const role of ["reader", "auditor", "edge", "projector"] as const) {
      const client = await plane.installation.pool(role).connect();
      const count = async (tenant: string): Promise<unknown> => {
        await client.query("begin");
        await client.query("select set_config('eventplane.tenant_id', $1, true)", [tenant]);
        const { rows } = await client.query<{ tenant: string }>(
          "select distinct tenant_id as tenant from eventplane.events",
        );
        await client.query("commit");
        return rows.map(({ tenant: found }) => found);
      };
      try {
        expect([role, await count(acme.id), await count("")]).toEqual([role, [acme.id], []]);
      } finally {
        client.release();
      }
    }
  });
});

describe("P12", () => {
  /** The first position that does not hold, and how many did; as a verifier finds it who was given the root public key. */
  async function verified(
    tenantId: TenantId,
    rootPublicKey?: string,
  ): Promise<{ readonly held: number; readonly brokenAt?: number }> {
    const verifier = await plane.verifier(rootPublicKey);
    let link: ChainLink | undefined;
    for (const row of await plane.log(tenantId)) {
      try {
        link = verifyLink(row, link);
        verifier.verify(row);
      } catch (error) {
        if (!isEventplaneError(error, "verification_failed")) throw error;
        return { held: row.position - 1, brokenAt: row.position };
      }
    }
    return { held: link?.position ?? 0 };
  }

  test("chain and proofs hold with the root public key alone, and one changed byte is found where it is", async () => {
    for (const name of ["a", "b", "c"]) await create(rival, `p12-${name}`, { name });
    for (const name of ["a", "b", "c"]) await inPhase(rival, `p12-${name}`, "Ready");
    const { length } = await plane.log(rival.id);
    expect(await verified(rival.id)).toEqual({ held: length });
    const platform = await verified(PLATFORM_TENANT_ID);
    expect(platform.brokenAt).toBeUndefined();
    expect(platform.held).toBeGreaterThan(5);
    await expect(verified(rival.id, generateSigningKey().publicKey)).rejects.toMatchObject({
      code: "verification_failed",
    });
    const changed = (await plane.log(rival.id)).find(({ aggregateId }) => aggregateId === "p12-b")?.position ?? 0;
    const sql = `alter table eventplane.events disable trigger events_unchanging;
      update eventplane.events set spec = '{"name":"B"}' where tenant_id = '${rival.id}' and position = ${changed};
      alter table eventplane.events enable always trigger events_unchanging`;
    await plane.installation.asSuperuser(sql);
    expect(await verified(rival.id)).toEqual({ held: changed - 1, brokenAt: changed });
  });
});

describe("P13", () => {
  test("a failing controller, a flooding tenant and a subscriber that reads nothing do not keep another tenant waiting", async () => {
    const [calm, flood] = [await plane.tenant("calm"), await plane.tenant("flood")];
    const { hostname, port } = new URL(plane.url);
    const deaf = connect(Number(port), hostname);
    await once(deaf, "connect");
    deaf.write(
      `GET /v1/tenants/flood/subscribe?after=0 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${flood.key}\r\n\r\n`,
    );
    deaf.pause();
    const names = Array.from({ length: 1_000 }, (_, n) => `${n % 50 === 0 ? "poison" : "org"}-${n}`);
    const intents = names.map((aggregateId) => ({
      type: "organization.create",
      aggregateId,
      spec: { padding: "x".repeat(500) },
    }));
    const flooding = flood.client.publishMany(intents);
    await create(calm, "calm");
    const startMs = performance.now();
    await inPhase(calm, "calm", "Ready");
    expect(performance.now() - startMs).toBeLessThan(5_000);
    expect((await plane.log(flood.id)).filter(({ type }) => type === "organization.ready").length).toBeLessThan(900);
    await flooding;
    deaf.destroy();
    await inPhase(flood, "poison-50", "Failed");
    await inPhase(flood, "org-999", "Ready");
    await create(calm, "calm-again");
    await inPhase(calm, "calm-again", "Ready");
  });
});

describe("P14", () => {
  test("neither key nor payload is in logs, problems, metrics or recorded refusals", async () => {
    const said: string[] = [];
    const send = async (key: string, body: string): Promise<void> => {
      const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
      said.push(await (await fetch(`${plane.url}/v1/tenants/acme/intents`, { method: "POST", headers, body })).text());
    };
    const spec = JSON.stringify({ name: personal });
    await send(acme.key, `{"type":"organization.create","spec":{"a":1,"a":"${personal}"}}`);
    await send(acme.key, `{"type":"organization.nothing","spec":${spec}}`);
    await send(acme.key, `{"type":"organization.create","spec":${spec},"causedBy":"${personal}"}`);
    await send(acme.key, `{"type":"organization.create","spec":${spec.slice(0, -1)}`);
    await send(acme.key.replace(/.$/u, "~"), `{"type":"organization.create","spec":${spec}}`);
    await create(acme, "poison-p14", { name: personal });
    await until("the controller to give up", async () =>
      plane.logged.includes("dead letter") && plane.logged.includes("poison-p14") ? true : undefined,
    );
    said.push(await (await fetch(`${plane.url}/metrics`)).text(), plane.logged);
    const facts = [...(await plane.log(acme.id)), ...(await plane.log(PLATFORM_TENANT_ID))].filter(
      ({ kind }) => kind !== "intent",
    );
    said.push(...facts.map(({ specText, statusText }) => specText + statusText));
    expect(said.slice(0, 5).every((text) => text.includes('"code"'))).toBe(true);
    const secretOf = (apiKey: string): string => apiKey.slice("epk_00000000-0000-0000-0000-000000000000_".length);
    for (const text of [personal, "Mustermann", secretOf(acme.key), secretOf(plane.adminKey)])
      expect(said.join("\n")).not.toContain(text);
  });
});
