/** `evtctl start --roles …`: a process a role, each with the folder of its role; what holds more than its role is refused. */
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type EventplaneClient, type PlaneStatus } from "../src/client/index.js";
import { systemClock } from "../src/kernel/index.js";
import { openNatsTransport } from "../src/transport/nats/index.js";
import { buildCommand, evtctl, type Finished, freePort, Served } from "./support/evtctl-process.js";
import { startNats } from "./support/nats-server.js";
import { runAs } from "./support/postgres-installation.js";
import { createTestDatabase, type TestDatabase } from "./support/postgres-server.js";

const config = fileURLToPath(new URL("../examples/organizations/eventplane.config.ts", import.meta.url));

let folder = "";
let whole = "";
let database: TestDatabase;
const running = new Map<string, Served>();

/** Without user and password: a service has its own. */
const serviceEnvironment = (dataDir: string): Readonly<Record<string, string>> => {
  const { host, pathname } = new URL(database.ownerUrl);
  return {
    DATABASE_URL: `postgresql://${host}${pathname}`,
    EVENTPLANE_DATABASE__ROLE_PREFIX: database.rolePrefix,
    EVENTPLANE_DATA__DIR: dataDir,
  };
};
const owner = (): Readonly<Record<string, string>> => ({
  DATABASE_URL_FILE: join(folder, "owner.url"),
  EVENTPLANE_DATABASE__ROLE_PREFIX: database.rolePrefix,
  EVENTPLANE_DATA__DIR: whole,
});
const folderOf = (roles: string): string => join(folder, roles.replaceAll(",", "-"));

async function start(roles: string, more: Readonly<Record<string, string>> = {}): Promise<Served> {
  const environment = { ...serviceEnvironment(folderOf(roles)), ...more };
  const served = Served.start(["start", "--config", config, "--roles", roles], await freePort(), { environment });
  running.set(roles, served);
  await served.ready();
  return served;
}

const refusedStart = (roles: string, environment: Readonly<Record<string, string>>): Promise<Finished> =>
  evtctl(["start", "--config", config, "--roles", roles, "--port", "0"], { environment });

/** Logins with a connection. */
async function loggedIn(): Promise<readonly string[]> {
  const sql = `select distinct usename from pg_stat_activity
    where datname = current_database() and usename like $1 and application_name like 'eventplane %' order by 1`;
  const rows = await runAs<{ usename: string }>(database.superuserUrl, sql, [`${database.rolePrefix}\\_%`]);
  return rows.map(({ usename }) => usename.slice(database.rolePrefix.length + 1));
}

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-roles-"));
  whole = join(folder, "whole");
  database = await createTestDatabase();
  await writeFile(join(folder, "owner.url"), database.ownerUrl, { mode: 0o600 });
  const { status, stderr } = await evtctl(["migrate", "up", "--config", config], { environment: owner() });
  expect([status, stderr]).toEqual([0, ""]);
});
afterAll(async () => {
  await Promise.all([...running.values()].map((served) => served.end()));
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

describe("role export", () => {
  it("gives each role its keys and passwords, and nothing else", async () => {
    for (const roles of ["edge", "controllers,workers", "projections", "relay"]) {
      const { status, stderr } = await evtctl(["role", "export", folderOf(roles), "--roles", roles], {
        environment: owner(),
      });
      expect([status, stderr]).toEqual([0, ""]);
    }
    const content = async (roles: string): Promise<unknown> => [
      (await readdir(folderOf(roles), { recursive: true })).sort(),
      Object.keys(JSON.parse(await readFile(join(folderOf(roles), "database.json"), "utf8")) as object).sort(),
    ];
    expect(await content("edge")).toEqual([
      ["database.json", "keys", "keys/edge.key", "keys/personal.key", "keys/root.pub", "keys/webhooks.key"],
      ["edge"],
    ]);
    expect(await content("controllers,workers")).toEqual([
      ["database.json", "keys", "keys/personal.key", "keys/root.pub", "keys/runtime.key"],
      ["runtime"],
    ]);
    expect(await content("projections")).toEqual([
      ["database.json", "keys", "keys/root.pub"],
      ["projector", "reader"],
    ]);
    expect(await content("relay")).toEqual([["database.json", "keys", "keys/root.pub"], ["relay"]]);
  });

  it("refuses a folder with files, a role that there is none of, and a folder that was never prepared", async () => {
    const twice = await evtctl(["role", "export", folderOf("edge"), "--roles", "edge"], { environment: owner() });
    expect([twice.status, twice.stderr]).toEqual([2, expect.stringContaining("has files already")]);
    const wrong = await evtctl(["role", "export", join(folder, "x"), "--roles", "king"], { environment: owner() });
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining('"king" is no role of a process')]);
    const environment = { ...owner(), EVENTPLANE_DATA__DIR: join(folder, "nothing") };
    const empty = await evtctl(["role", "export", join(folder, "x"), "--roles", "edge"], { environment });
    expect([empty.status, empty.stderr]).toEqual([1, expect.stringContaining("evtctl migrate up")]);
    expect(existsSync(join(folder, "x"))).toBe(false);
  });
});

describe("a process a role", () => {
  let client: EventplaneClient;

  it("edge, controllers with workers, and projections together are a plane", async () => {
    const [edge, controllers] = await Promise.all(
      ["edge", "controllers,workers", "projections"].map((roles) => start(roles)),
    );
    const environment = { ...owner(), EVENTPLANE_URL: edge?.url ?? "" };
    expect((await evtctl(["tenant", "create", "acme"], { environment })).status).toBe(0);
    const grants = ["--grants", "publisher,reader,subscriber"];
    const made = await evtctl(["key", "create", "acme", "--name", "ci", ...grants], { environment });
    client = createClient({ baseUrl: edge?.url ?? "", tenant: "acme", apiKey: made.stdout.trim() });
    const spec = { name: "Acme", plan: "team", region: "eu" };
    await client.publish({ type: "organization.create", aggregateId: "acme", spec });
    await expect.poll(phase, { timeout: 15_000 }).toBe("Ready");
    await expect.poll(planOf, { timeout: 15_000 }).toBe("team");
    expect(await loggedIn()).toEqual(["edge", "projector", "reader", "runtime"]);
    expect(controllers?.output).not.toContain('"level":"error"');
  });

  it("tells its health and metrics where an edge would, and nothing else", async () => {
    const { url = "" } = running.get("controllers,workers") ?? {};
    expect(await (await fetch(`${url}/readyz`)).json()).toEqual({ status: "ok", reasons: [], degraded: [] });
    expect(await (await fetch(`${url}/metrics`)).text()).toContain("eventplane_reconcile");
    for (const [path, method] of [
      ["/", "GET"],
      ["/v1/tenants/acme/intents", "POST"],
      ["/readyz", "DELETE"],
    ] as const) {
      expect((await fetch(`${url}${path}`, { method })).status).toBe(404);
    }
    const args = ["start", "--config", config, "--roles", "controllers,workers", "--port", new URL(url).port];
    const busy = await evtctl(args, { environment: serviceEnvironment(folderOf("controllers,workers")) });
    expect([busy.status, busy.stderr]).toEqual([1, expect.stringContaining("error port_in_use")]);
  });

  it("is seen with its roles, and so is how far everything is and who leads", async () => {
    const { url = "" } = running.get("edge") ?? {};
    const environment = { ...owner(), EVENTPLANE_URL: url };
    const shown = await evtctl(["status"], { environment });
    expect([shown.status, shown.stderr]).toEqual([0, ""]);
    for (const roles of ["edge", "controllers,workers", "projections"]) {
      expect(shown.stdout).toMatch(new RegExp(`^\\w{8} +\\S+:\\d+ +${roles} +\\S+ .* ready$`, "m"));
    }
    expect(shown.stdout).toMatch(/^organizations_by_plan +\w{8} +\d+ +\d+\.\d s$/m);
    const { processes, consumers, leaders } = JSON.parse(
      (await evtctl(["status", "-o", "json"], { environment })).stdout,
    ) as PlaneStatus;
    const leader = processes.find(({ processId }) => processId === leaders[0]?.processId);
    expect(leader?.roles).toEqual(["projections"]);
    expect(consumers.map(({ consumer }) => consumer)).toEqual(expect.arrayContaining(["resources", "work"]));
    expect(consumers.every(({ eventsBehind }) => eventsBehind === 0)).toBe(true);
    await expect(createClient({ baseUrl: url, apiKey: await keyText(url) }).admin.status()).rejects.toMatchObject({
      code: "forbidden",
    });
  });

  it("that was killed is late, and is seen among the living again when it is back", async () => {
    await running.get("controllers,workers")?.end("SIGKILL");
    const { url = "" } = running.get("edge") ?? {};
    const environment = { ...owner(), EVENTPLANE_URL: url };
    const { processes } = JSON.parse((await evtctl(["status", "-o", "json"], { environment })).stdout) as PlaneStatus;
    expect(processes.map(({ roles }) => roles.join(",")).sort()).toEqual([
      "controllers,workers",
      "edge",
      "projections",
    ]);
    const old = processes.find(({ roles }) => roles.includes("workers"));
    await runAs(
      database.superuserUrl,
      "update eventplane.processes set seen_at = seen_at - interval '1 minute' where process_id = $1",
      [old?.processId],
    );
    expect((await evtctl(["status"], { environment })).stdout).toMatch(/ controllers,workers .* late$/m);
    await runAs(
      database.superuserUrl,
      "update eventplane.processes set seen_at = seen_at - interval '2 hours' where process_id = $1",
      [old?.processId],
    );
    await start("controllers,workers");
    await expect
      .poll(async () => (await evtctl(["status"], { environment })).stdout, { timeout: 15_000 })
      .not.toMatch(/late$/m);
  });

  it("logs in as its role only, and what others do waits for them", async () => {
    await running.get("edge")?.end();
    await running.get("projections")?.end();
    expect(await loggedIn()).toEqual(["runtime"]);
    await running.get("controllers,workers")?.end();
    const edge = await start("edge");
    expect(await loggedIn()).toEqual(["edge"]);
    const { tenant, apiKey } = { tenant: "acme", apiKey: await keyText(edge.url) };
    client = createClient({ baseUrl: edge.url, tenant, apiKey });
    await client.publish({ type: "organization.change-plan", aggregateId: "acme", spec: { plan: "enterprise" } });
    await start("controllers,workers");
    await start("projections");
    await expect.poll(planOf, { timeout: 15_000 }).toBe("enterprise");
  });

  it("the relay hands what others appended to NATS, with its own login alone", async () => {
    const missing = await refusedStart("relay", serviceEnvironment(folderOf("relay")));
    expect([missing.status, missing.stderr]).toEqual([2, expect.stringContaining("needs nats.url")]);
    const inside = { ...serviceEnvironment(folderOf("relay")), EVENTPLANE_NATS__URL: "nats://user:secret@127.0.0.1" };
    const refused = await refusedStart("relay", inside);
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining("nats.credential")]);
    expect(refused.stderr).not.toContain("secret@");
    const nats = await startNats();
    try {
      const relay = await start("relay", { EVENTPLANE_NATS__URL: nats.url });
      expect(await loggedIn()).toContain("relay");
      const transport = await openNatsTransport({ servers: [nats.url] });
      const handed = async (): Promise<number> => (await transport.standing()).sequence;
      await expect.poll(handed, { timeout: 15_000 }).toBeGreaterThan(5);
      await transport.close();
      expect(await (await fetch(`${relay.url}/metrics`)).text()).toContain("eventplane_relay_connected 1");
      await nats.kill9();
      const degraded = async (): Promise<string> => (await fetch(`${relay.url}/readyz`)).text();
      await client.publish({ type: "organization.change-plan", aggregateId: "acme", spec: { plan: "team" } });
      await expect.poll(degraded, { timeout: 15_000 }).toContain("relay_waiting: unavailable");
      expect((await relay.end()).status).toBe(0);
    } finally {
      await nats.close();
    }
  });

  const phase = async (): Promise<string | undefined> =>
    (await client.resource("organization", "acme").catch(() => undefined))?.phase;
  const planOf = async (): Promise<unknown> => {
    const query = { table: "organizations", key: "acme" };
    const page = await client
      .query<{ readonly value: { readonly plan: string } }>("organizations_by_plan", query)
      .catch(() => undefined);
    return page?.rows[0]?.value.plan;
  };
  const keyText = async (url: string): Promise<string> => {
    const environment = { ...owner(), EVENTPLANE_URL: url };
    const args = ["key", "create", "acme", "--name", "again", "--grants", "publisher,reader"];
    return (await evtctl(args, { environment })).stdout.trim();
  };
});

describe("two edges that are processes of their own", () => {
  let edges: readonly Served[] = [];
  let first = "";
  let second = "";
  beforeAll(async () => {
    const environment = serviceEnvironment(folderOf("edge"));
    const ports = [await freePort(), await freePort()];
    edges = ports.map((port) => Served.start(["start", "--config", config, "--roles", "edge"], port, { environment }));
    await Promise.all(edges.map((edge) => edge.ready()));
    [first = "", second = ""] = edges.map(({ url }) => url);
    expect((await asAdmin("tenant", "create", "busy")).status).toBe(0);
  });
  afterAll(() => Promise.all(edges.map((edge) => edge.end())));

  const asAdmin = (...args: readonly string[]): Promise<Finished> =>
    evtctl(args, { environment: { ...owner(), EVENTPLANE_URL: first } });
  const makeKey = async (name: string, grants: string): Promise<string> =>
    (await asAdmin("key", "create", "busy", "--name", name, "--grants", grants)).stdout.trim();

  it("attack 7: a subscription by a token in the address ends everywhere within 1 s of its key, and the token is in no log", async () => {
    const key = await makeKey("page", "subscriber,reader");
    const { token } = await createClient({ baseUrl: first, tenant: "busy", apiKey: key }).mintStreamToken();
    const address = `/v1/tenants/busy/subscribe?access_token=${token}`;
    const open = await fetch(`${second}${address}`);
    expect(open.status).toBe(200);
    const ended = (async () => {
      for await (const _ of open.body ?? []);
      return performance.now();
    })();
    expect(await Promise.race([ended, systemClock.sleep(300)])).toBeUndefined();
    const [, keyId = ""] = key.split("_");
    const { status } = await asAdmin("key", "revoke", "busy", keyId);
    const revokedMs = performance.now();
    expect(status).toBe(0);
    expect((await ended) - revokedMs).toBeLessThan(1_000);
    for (const url of [first, second]) expect((await fetch(`${url}${address}`)).status).toBe(401);
    for (const edge of edges) expect(edge.output).not.toContain(token);
  });

  it("share a tenant's limit, but for what each of them may have leased", async () => {
    const limits = ["--requests-per-second", "50", "--requests-burst", "100", "--principal-requests-per-second", "50"];
    expect((await asAdmin("quota", "set", "--tenant", "busy", ...limits)).status).toBe(0);
    const key = await makeKey("flood", "reader");
    await systemClock.sleep(1_000); // until the quota is in force everywhere
    const { admitted, refused, seconds } = await flood([first, second], key);
    // What comes at once, what comes in the time, and at each edge a lease of a quarter of a second's worth and a request under way.
    expect(admitted).toBeLessThanOrEqual(100 + 50 * seconds + 2 * (13 + 1));
    expect(admitted).toBeGreaterThanOrEqual(100);
    expect(refused).toBeGreaterThan(admitted);
  });

  /** Four clients at each edge for 3 s. */
  async function flood(
    urls: readonly string[],
    key: string,
  ): Promise<{ readonly admitted: number; readonly refused: number; readonly seconds: number }> {
    const headers = { authorization: `Bearer ${key}` };
    const beganMs = performance.now();
    let admitted = 0;
    let refused = 0;
    const client = async (url: string): Promise<void> => {
      while (performance.now() - beganMs < 3_000) {
        const { status } = await fetch(`${url}/v1/tenants/busy/events?limit=1`, { headers });
        if (status === 200) admitted++;
        else if (status === 429) refused++;
        else throw new Error(`It was answered ${status}.`);
      }
    };
    await Promise.all(urls.flatMap((url) => Array.from({ length: 4 }, () => client(url))));
    return { admitted, refused, seconds: (performance.now() - beganMs) / 1_000 };
  }
});

describe("rights beyond a role", () => {
  it.each([
    [
      "the whole folder",
      () => serviceEnvironment(whole),
      /keys\/root\.key, keys\/runtime\.key, admin\.key, password of/,
    ],
    ["a password in DATABASE_URL", () => ({ ...owner(), EVENTPLANE_DATA__DIR: folderOf("edge") }), /has a password/],
    [
      "a password among its options",
      () => {
        const environment = serviceEnvironment(folderOf("edge"));
        return { ...environment, DATABASE_URL: `${environment["DATABASE_URL"]}?user=owner&password=secret` };
      },
      /has a password/,
    ],
    [
      "secrets of others among the settings",
      () => ({ ...serviceEnvironment(folderOf("edge")), EVENTPLANE_NATS__CREDENTIAL: "a token" }),
      /may not: nats\.credential/,
    ],
  ])("are refused: %s", async (_what, environment, why) => {
    const { status, stderr } = await refusedStart("edge", environment());
    expect(status).toBe(3);
    expect(stderr).toMatch(/^error rights_excessive: /);
    expect(stderr).toMatch(why);
  });

  it("are refused: one key too many", async () => {
    const extra = join(folderOf("projections"), "keys", "runtime.key");
    await copyFile(join(whole, "keys", "runtime.key"), extra);
    const { status, stderr } = await refusedStart("projections", serviceEnvironment(folderOf("projections")));
    await rm(extra);
    expect([status, stderr]).toEqual([3, expect.stringMatching(/^error rights_excessive: [^\n]*runtime\.key/)]);
  });

  it("dev runs every role and says so", async () => {
    const environment = { EVENTPLANE_PROCESS__ROLES: "edge", EVENTPLANE_DATA__DIR: join(folder, "dev") };
    const { status, stderr } = await evtctl(["dev", "--port", "0"], { environment });
    expect([status, stderr]).toEqual([2, expect.stringContaining("`dev` runs every role")]);
  });
});
