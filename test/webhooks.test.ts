/** Webhooks on a whole plane: how they are made and kept, over HTTP, with receivers on this machine. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createClient, type WebhookWish } from "../src/client/index.js";
import { isEventplaneError, PLATFORM_TENANT_ID } from "../src/kernel/index.js";
import { testDone } from "../src/testing/index.js";
import { buildCommand, evtctl } from "./support/evtctl-process.js";
import { type Received, Receivers, tenantWith, verified } from "./support/hooks-fixture.js";
import { create, PlaneFixture, until } from "./support/plane-fixture.js";

let plane: PlaneFixture;
const receivers = new Receivers();

beforeAll(async () => {
  plane = await PlaneFixture.open({ quota: () => testDone({ members: 1 }) }, { allowedNetworks: ["127.0.0.1/32"] });
});
afterEach(() => receivers.close());
afterAll(() => plane.close());

const codeOf = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => undefined,
    (error: unknown) => (isEventplaneError(error) ? error.code : "foreign"),
  );

const environmentOf = ({
  hooksKey,
  slug,
}: {
  readonly hooksKey: string;
  readonly slug: string;
}): Record<string, string> => ({
  EVENTPLANE_URL: plane.url,
  EVENTPLANE_API_KEY: hooksKey,
  EVENTPLANE_TENANT: slug,
});

describe("a webhook", () => {
  it("is made, shown, paused, resumed, rotated and deleted, each as an event that says who; its secret is shown once", async () => {
    const { hooks, id: tenantId } = await tenantWith(plane, "made");
    const wish: WebhookWish = {
      url: "https://hooks.example.com/a",
      description: "billing",
      filter: { types: ["organization.*"] },
    };
    const { secret, ...made } = await hooks.create(wish);
    expect(secret).toMatch(/^whsec_/);
    expect(made).toMatchObject({ ...wish, tenantId, state: "active", maySend: true, parallel: 1, secretVersion: 1 });
    expect(await hooks.get(made.id)).toEqual({ ...made, position: 0, failingSince: null });
    expect(await hooks.list()).toEqual([made]);
    expect((await hooks.pause(made.id)).state).toBe("paused");
    expect((await hooks.pause(made.id)).state).toBe("paused");
    expect((await hooks.resume(made.id)).state).toBe("active");
    const rotated = await hooks.rotate(made.id, { overlapSeconds: 60 });
    expect(rotated.secret).not.toBe(secret);
    expect(await hooks.get(made.id)).toMatchObject({ secretVersion: 2, previousSecretEndsAt: rotated.previousEndsAt });
    await hooks.delete(made.id);
    expect(await codeOf(hooks.get(made.id))).toBe("not_found");
    expect(await hooks.list()).toEqual([]);

    const events = (await plane.log(PLATFORM_TENANT_ID)).filter(
      (row) => row.aggregateId === made.id && row.kind === "intent",
    );
    expect(events.map(({ type }) => type)).toEqual(
      ["create", "pause", "resume", "rotate", "delete"].map((name) => `webhook.${name}`),
    );
    for (const row of events) expect(row.causedByText).toContain('"via":"http"');
    for (const text of [plane.logged, ...events.map((row) => row.specText)])
      for (const one of [secret, rotated.secret]) expect(text).not.toContain(one.slice("whsec_".length));
  });

  it("is made only by who may subscribe to what it is sent: a key of the tenant with both grants", async () => {
    const { hooks } = await tenantWith(plane, "without", ["admin"]);
    expect(await codeOf(hooks.create({ url: "https://hooks.example.com/" }))).toBe("forbidden");
    const { webhooks: foreign } = createClient({ baseUrl: plane.url, apiKey: plane.adminKey }).admin;
    expect(await codeOf(foreign.create({ url: "https://hooks.example.com/" }, { tenant: "without" }))).toBe(
      "forbidden",
    );
    expect(await codeOf(foreign.create({ url: "https://hooks.example.com/" }))).toBe("request_invalid");
  });

  it("attack 19: is not made for an address inside, a scheme, a port or a user that is not allowed", async () => {
    const { hooks } = await tenantWith(plane, "inside");
    for (const url of [
      "https://127.0.0.2/",
      "https://2130706434/",
      "https://[::1]/",
      "https://169.254.169.254/",
      "https://a:b@hooks.example.com/",
      "http://93.184.215.14/",
      "https://93.184.215.14:22/",
      "ftp://hooks.example.com/",
      "nothing",
    ])
      expect(await codeOf(hooks.create({ url })), url).toBe("webhook_target_refused");
  });

  it("that does not fit is refused", async () => {
    const { hooks } = await tenantWith(plane, "misfit");
    const url = "https://hooks.example.com/";
    const misfits: readonly (readonly [WebhookWish, string])[] = [
      [{ url, parallel: 9 }, "schema_violation"],
      [{ url, after: 1_000_000 }, "schema_violation"],
      [{ url, filter: { types: ["*"] } }, "schema_violation"],
      [{ url, filter: { kinds: [] } }, "schema_violation"],
      [{ url, description: "x".repeat(201) }, "schema_violation"],
      [{ url: "https://hooks.example.com/?key=AKIAIOSFODNN7EXAMPLE" }, "secret_found"],
    ];
    for (const [wish, code] of misfits) expect(await codeOf(hooks.create(wish)), JSON.stringify(wish)).toBe(code);
    const { id } = await hooks.create({ url });
    expect(await codeOf(hooks.rotate(id, { overlapSeconds: 604_801 }))).toBe("schema_violation");
  });

  it("of another tenant is not there", async () => {
    const [mine, theirs] = [await tenantWith(plane, "mine"), await tenantWith(plane, "theirs")];
    const { id } = await mine.hooks.create({ url: "https://hooks.example.com/" });
    const { hooks } = theirs;
    for (const touch of [hooks.get(id), hooks.pause(id), hooks.rotate(id), hooks.test(id), hooks.delete(id)].map(
      codeOf,
    ))
      expect(await touch).toBe("not_found");
    expect(await codeOf(theirs.hooks.list({ tenant: "mine" }))).toBe("forbidden");
    expect(await theirs.hooks.list()).toEqual([]);
  });

  it("is one of 50 of a tenant at most", async () => {
    const { hooks } = await tenantWith(plane, "many");
    const wish = { url: "https://hooks.example.com/" };
    const made = await Promise.allSettled(Array.from({ length: 80 }, () => hooks.create(wish)));
    expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(50);
    expect(await hooks.list()).toHaveLength(50);
    expect(await codeOf(hooks.create(wish))).toBe("webhook_limit");
  });
});

describe("a test of a webhook", () => {
  it("sends a signed message that says nothing and tells what came of it", async () => {
    const { hooks } = await tenantWith(plane, "tested");
    const { url, received } = await receivers.open((nth) => [204, 500, 204][nth] ?? 204);
    const { id, secret } = await hooks.create({ url });
    expect(await hooks.test(id)).toMatchObject({ delivered: true, result: "answered", status: 204 });
    expect(await hooks.test(id)).toMatchObject({ delivered: false, result: "answered", status: 500 });
    const rotated = await hooks.rotate(id);
    expect(await hooks.test(id)).toMatchObject({ delivered: true });
    expect(verified(secret, received[0] as Received)).toMatchObject({ type: "eventplane.webhook-test" });
    for (const one of [secret, rotated.secret])
      expect(verified(one, received[2] as Received)).toMatchObject({ data: { test: true } });
  });

  it("tells when nobody is there", async () => {
    const { hooks } = await tenantWith(plane, "nobody");
    const { id } = await hooks.create({ url: "http://127.0.0.1:1/" });
    expect(await hooks.test(id)).toMatchObject({ delivered: false, result: "unanswered", reason: "connection_failed" });
  });
});

describe("evtctl webhook", () => {
  it("makes one and writes its secret alone to standard output, tests, lists, pauses, resumes, rotates and deletes it", async () => {
    buildCommand();
    const tenant = await tenantWith(plane, "terminal");
    const run = (...args: readonly string[]): ReturnType<typeof evtctl> =>
      evtctl(["webhook", ...args], { environment: environmentOf(tenant) });
    const { url, received } = await receivers.open((nth) => (nth === 0 ? 204 : 503));
    const made = await run("create", url, "--type", "organization.*", "--description", "terminal");
    expect([made.status, made.stdout]).toEqual([0, expect.stringMatching(/^whsec_\S+\n$/)]);
    const [one] = await tenant.hooks.list();
    const id = one?.id ?? "";
    expect(made.stderr).toContain(id);
    expect((await run("list")).stdout).toMatch(new RegExp(`${id} +active +${url} +organization\\.\\* +terminal`));
    expect(await run("test", id)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^delivered: status 204, \d+ ms/),
    });
    const failed = await run("test", id);
    expect([failed.status, failed.stdout]).toEqual([1, expect.stringMatching(/^not delivered: status 503/)]);
    expect(failed.stderr).toContain("webhook_undelivered");
    expect(received).toHaveLength(2);
    await create(tenant, "acme");
    await until("an attempt", async () => (await tenant.hooks.deliveries(id))[0]);
    expect((await run("deliveries", id)).stdout).toMatch(
      /^AT +POSITION +EVENT +ATTEMPT +RESULT +ANSWER +MS\n(\S+ +\d+ +\S+ +1 +retried +503 +\d+\n)+$/,
    );
    expect((await run("pause", id)).stdout).toBe(`webhook ${id} is paused\n`);
    expect((await run("show", id, "-o", "json")).stdout).toContain('"state": "paused"');
    expect((await run("resume", id)).stdout).toBe(`webhook ${id} goes on\n`);
    expect((await run("rotate", id, "--overlap", "2h")).stdout).toMatch(/^whsec_\S+\n$/);
    expect((await run("delete", id)).stdout).toBe(`webhook ${id} is deleted\n`);
    expect((await run("create", "http://127.0.0.2/")).stderr).toContain("webhook_target_refused");
  });
});
