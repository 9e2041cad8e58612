/** The hostile tenant of the test kit: it finds nothing on planes as they are, and finds what is planted. */

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Type } from "typebox";
import { afterEach, describe, expect, test } from "vitest";
import {
  type AggregateConfig,
  type App,
  defineAggregate,
  defineApp,
  defineController,
  done,
  type MessageOf,
} from "../src/index.js";
import { openPlane } from "../src/plane/embedded/index.js";
import { type HostileTarget, hostileTenant, type TestPlane, testPlane } from "../src/testing/index.js";
import { createTestDatabase } from "./support/postgres-server.js";

const spec = Type.Object({ name: Type.String(), plan: Type.Union([Type.Literal("free"), Type.Literal("team")]) });
const intents = { create: { creates: true }, "change-plan": {}, delete: { deletes: true } } as const;
type Config = AggregateConfig<typeof spec, Record<never, never>, typeof intents>;

const ended: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

const organization = defineAggregate("organization", { spec, intents });
const victim = [organization.create({ name: "Canary GmbH", plan: "team" })];

function appWith(more: Partial<Config> = {}): App<MessageOf<typeof organization>, never> {
  const aggregate = defineAggregate("organization", { spec, intents, ...more });
  const quota = defineController({ name: "quota", watches: aggregate, reconcile: () => done() });
  return defineApp({ aggregates: [aggregate], controllers: [quota] });
}

async function listening(more: Partial<Config> = {}): Promise<TestPlane> {
  const plane = await testPlane(appWith(more));
  ended.push(() => plane.close());
  await plane.listen();
  return plane;
}

type Change = (asked: IncomingMessage, given: { path: string; headers: Record<string, unknown>; body: string }) => void;
type Answer = { status: number; body: string };

/** A plane behind a server that does something wrong. */
async function behind(
  plane: TestPlane,
  { change = () => undefined, answer = (given) => given }: { change?: Change; answer?: (given: Answer) => Answer },
): Promise<HostileTarget> {
  const server: Server = createServer((asked, response) => {
    const chunks: Buffer[] = [];
    asked.on("data", (chunk: Buffer) => chunks.push(chunk));
    asked.on("end", () => {
      const { "content-length": _, ...headers } = asked.headers;
      const given = {
        path: asked.url ?? "",
        headers: headers as Record<string, unknown>,
        body: Buffer.concat(chunks).toString("latin1"),
      };
      change(asked, given);
      const target = new URL(plane.url ?? "");
      const options = {
        host: target.hostname,
        port: target.port,
        path: given.path,
        method: asked.method,
        agent: false,
      };
      const forwarded = request({ ...options, headers: given.headers as Record<string, string> }, (got) => {
        if (got.headers["content-type"]?.includes("event-stream") === true) {
          response.writeHead(got.statusCode ?? 500, got.headers);
          got.pipe(response);
          response.once("close", () => got.destroy());
          return;
        }
        let body = "";
        got.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
        got.on("end", () => {
          const said = answer({ status: got.statusCode ?? 500, body });
          response.writeHead(said.status, { "content-type": "application/json" }).end(said.body);
        });
      });
      forwarded.once("error", () => response.destroy());
      forwarded.end(Buffer.from(given.body, "latin1"));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ended.push(() => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  return {
    url,
    createTenant: (slug) => plane.createTenant(slug),
    createKey: (tenant, wish) => plane.createKey(tenant, wish),
  };
}

/** Tries that each class has at least. Those of `every-route`, which come to no database, are in test/attacks-every-route.test.ts. */
const leastTries = {
  "other-tenant": 100,
  repeats: 3,
  "foreign-ids": 10,
  credentials: 14,
  "forged-fields": 25,
  "hostile-json": 35,
  escapes: 40,
  "misshapen-specs": 40,
} as const;
const classes = Object.keys(leastTries) as (keyof typeof leastTries)[]; // the keys of the table

describe("a hostile tenant", () => {
  test("finds nothing on a test plane, and says how much it tried", async () => {
    const plane = await listening();
    const { breaches, tries } = await hostileTenant(plane, { victim, classes });
    expect(breaches).toEqual([]);
    for (const name of classes) expect([name, (tries[name] ?? 0) >= leastTries[name]]).toEqual([name, true]);
  });

  test("finds nothing on a plane with PostgreSQL in the application's own process", async () => {
    const database = await createTestDatabase();
    const dataDir = await mkdtemp(join(tmpdir(), "eventplane-hostile-"));
    ended.push(
      () => database.drop(),
      () => rm(dataDir, { recursive: true, force: true }),
    );
    const { ownerUrl: databaseUrl, rolePrefix } = database;
    const plane = await openPlane(appWith(), { databaseUrl, rolePrefix, dataDir, migrate: true, http: { port: 0 } });
    ended.push(() => plane.close());
    expect((await hostileTenant(plane, { victim, classes })).breaches).toEqual([]);
  });

  test("a plane that does not listen, intents that are refused and specs without a canary are misuses", async () => {
    const plane = await listening();
    const usage = { code: "usage" };
    const silent = { url: undefined, createTenant: async () => "", createKey: async () => ({}) };
    await expect(hostileTenant(silent, { victim })).rejects.toMatchObject(usage);
    await expect(hostileTenant(plane, { victim: [] })).rejects.toMatchObject(usage);
    await expect(hostileTenant(plane, { victim: [organization.delete("nobody")] })).rejects.toMatchObject(usage);
    const quiet = [organization.create({ name: "Acme", plan: "team" })];
    await expect(hostileTenant(plane, { victim: quiet })).rejects.toMatchObject(usage);
  });
});

describe("a planted defect is found:", () => {
  test("a guard of the app that throws on a spec that it did not expect", async () => {
    const plane = await listening({
      guard: (_, { spec: given }) =>
        String((given as { name: string }).name)
          .at(0)
          ?.toUpperCase() === ""
          ? "No."
          : JSON.parse('"x"').no.no,
    });
    await expect(hostileTenant(plane, { victim })).rejects.toMatchObject({ code: "usage" });
    const later = await listening({
      guard: (resource, { spec: given }) =>
        resource?.spec.name === undefined && given.plan === "free" ? JSON.parse("{}").no.no : undefined,
    });
    const free = [...victim, organization.create({ name: "Canary", plan: "team" })];
    const { breaches } = await hostileTenant(await behind(later, { change: toFree }), {
      victim: free,
      classes: ["forged-fields"],
    });
    expect(breaches.map(({ why }) => why).join()).toContain("the plane failed with status 500");
  });

  /** Of the attacker's requests, after the victim's. */
  function toFree(asked: IncomingMessage, given: { body: string }): void {
    if (asked.url?.includes("attacker-") === true) given.body = given.body.replace('"plan":"team"', '"plan":"free"');
  }

  test("another tenant's log under one's own key", async () => {
    const plane = await listening();
    const keys = new Map<string, unknown>();
    const target = await behind(plane, {
      change: (asked, given) => {
        const [, slug = ""] = /tenants\/(victim-[^/?]+)/.exec(given.path) ?? [];
        const own = keys.get(slug) ?? asked.headers.authorization;
        if (slug !== "") keys.set(slug, own);
        if (slug !== "" && asked.method === "GET") given.headers = { ...given.headers, authorization: own };
      },
    });
    const { breaches } = await hostileTenant(target, { victim, classes: ["other-tenant", "credentials"] });
    const found = breaches.map((breach) => breach.class);
    expect(found).toEqual(expect.arrayContaining(["other-tenant", "credentials"]));
    expect(breaches[0]?.why).toMatch(/holds what is the victim's|told apart/);
  });

  test("an answer that tells a tenant that exists from one that does not", async () => {
    const target = await behind(await listening(), {
      answer: ({ status, body }) =>
        status === 403 && body.includes("nobody-") ? { status: 404, body } : { status, body },
      change: (_, given) => {
        if (given.path.includes("nobody-")) given.path = "/nowhere";
      },
    });
    const { breaches } = await hostileTenant(target, { victim, classes: ["other-tenant"] });
    expect(breaches[0]?.why).toContain("told apart from what does not exist");
  });

  test("forged members that are dropped instead of refused, and prototype keys that are taken away", async () => {
    const target = await behind(await listening(), {
      change: (asked, given) => {
        if (asked.method !== "POST" || asked.url?.includes("attacker-") !== true) return;
        try {
          const { type, spec: content, aggregateId } = JSON.parse(given.body) as Record<string, unknown>;
          given.body = JSON.stringify({ type, spec: { ...(content as object), __proto__: undefined }, aggregateId });
        } catch {
          // Not JSON: it goes on as it came.
        }
      },
    });
    const { breaches } = await hostileTenant(target, { victim, classes: ["forged-fields", "hostile-json"] });
    expect(breaches.some(({ what }) => what.startsWith("a forged causedBy"))).toBe(true);
    expect(breaches.some(({ class: name }) => name === "hostile-json")).toBe(true);
  });

  test("a key for repetitions that is passed over, and one that takes other content", async () => {
    const plane = await listening();
    const forgetful = await behind(plane, {
      change: (_, given) => {
        const { "idempotency-key": __, ...headers } = given.headers;
        given.headers = headers;
      },
    });
    const { breaches } = await hostileTenant(forgetful, { victim, classes: ["repeats"] });
    expect(breaches).toHaveLength(3);
    for (const { why } of breaches) expect(why).toContain("sent again it was another thing");
    const careless = await behind(plane, {
      answer: (given) => (given.status === 422 ? { ...given, status: 200 } : given),
    });
    const taken = await hostileTenant(careless, { victim, classes: ["repeats"] });
    expect(taken.breaches.map(({ why }) => why)).toEqual(
      Array.from({ length: 3 }, () => expect.stringContaining("was answered 200 instead of 422")),
    );
  });

  test("writing into the victim's log", async () => {
    const plane = await listening();
    let victimKey: unknown;
    const target = await behind(plane, {
      change: (asked, given) => {
        const isPost = asked.method === "POST";
        if (isPost && asked.url?.includes("victim-") === true) victimKey ??= asked.headers.authorization;
        const forged = asked.headers["x-tenant-id"];
        if (!isPost || forged === undefined) return;
        given.path = `/v1/tenants/${String(forged)}/intents`;
        given.headers = { ...given.headers, authorization: victimKey };
      },
    });
    const { breaches } = await hostileTenant(target, { victim, classes: ["forged-fields"] });
    expect(breaches.some(({ why }) => why.includes("an event of the victim"))).toBe(true);
    expect(breaches).toContainEqual({
      class: "afterwards",
      what: "the victim's log",
      why: expect.stringContaining("is not of its own doing"),
    });
  });

  test("a prototype that is polluted", async () => {
    const plane = await listening();
    const target = await behind(plane, {
      change: (_, given) => {
        if (given.body.includes('"polluted":true'))
          Object.defineProperty(Object.prototype, "polluted", { value: true, configurable: true });
      },
    });
    const { breaches } = await hostileTenant(target, { victim, classes: ["hostile-json"] });
    Reflect.deleteProperty(Object.prototype, "polluted");
    expect(breaches).toContainEqual(expect.objectContaining({ class: "afterwards", what: "this process" }));
  });
});

describe("a planted route that leaks is found:", () => {
  const all = { victim, classes: ["other-tenant", "every-route"] as const };

  test("one that tells another tenant's list", async () => {
    const plane = await listening();
    const target = await behind(plane, {
      answer: (given) =>
        given.status === 403 ? { status: 200, body: '{"replays":[{"reason":"Canary GmbH"}]}' } : given,
    });
    const { breaches } = await hostileTenant(target, { ...all, routes: ["GET /v1/admin/replays"] });
    expect(breaches).toContainEqual(
      expect.objectContaining({ class: "other-tenant", why: expect.stringContaining("holds what is the victim's") }),
    );
    expect(breaches).toContainEqual(
      expect.objectContaining({ class: "every-route", what: expect.stringContaining("does not administer") }),
    );
  });

  test("one that asks for no credential, or takes what anybody shows", async () => {
    const plane = await listening();
    let own: string | undefined;
    const target = await behind(plane, {
      change: (asked, given) => {
        if (given.path.includes("attacker-")) own ??= asked.headers.authorization;
        if (asked.headers.authorization === undefined && own !== undefined)
          given.headers = { ...given.headers, authorization: own };
      },
    });
    const { breaches } = await hostileTenant(target, { ...all, routes: ["GET /v1/tenants/:t/schemas"] });
    expect(breaches).toEqual([
      expect.objectContaining({ why: "it was answered 200 instead of 401", what: expect.stringContaining("schemas") }),
    ]);
  });

  test("one that lets a reader write, passes over what it does not know, and fails on what it did not expect", async () => {
    const plane = await listening();
    const target = await behind(plane, {
      change: (_, given) => {
        given.path = given.path.replace(/[?&]linnet7.*/, "");
      },
      answer: (given) =>
        given.status === 403 ? { status: 201, body: "{}" } : given.status === 415 ? { ...given, status: 500 } : given,
    });
    const { breaches } = await hostileTenant(target, { ...all, routes: ["POST /v1/tenants/:t/intents"] });
    const found = breaches.map(({ what, why }) => `${what} ${why}`).join("\n");
    expect(found).toMatch(/a reader's key writes.*answered 201 instead of 403/);
    expect(found).toMatch(/an unknown parameter.*it was not refused/);
    expect(found).toMatch(/another media type.*the plane failed with status 500/);
  });
});
