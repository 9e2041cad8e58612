/** evtctl against a running plane: publish, read, administration, secrets, exit statuses. */
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ClientContext } from "../src/plane/index.js";
import { buildCommand, type CallOptions, evtctl, type Finished, freePort, Served } from "./support/evtctl-process.js";

let folder = "";
let dataDir = "";
let dev: Served;
let context: ClientContext;
const spec = '{"name":"Acme","plan":"team","region":"eu"}';

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-cli-"));
  dataDir = join(folder, "data");
  dev = Served.start(["dev", "--data-dir", dataDir], await freePort(), { cwd: folder });
  await dev.ready();
  await dev.says("Eventplane is ready");
  context = JSON.parse(await readFile(join(dataDir, "context.json"), "utf8"));
});

afterAll(async () => {
  await dev?.end("SIGTERM");
  await rm(folder, { recursive: true, force: true });
});

const call = (...args: readonly string[]): Promise<Finished> => evtctl(["--data-dir", dataDir, ...args]);
const callWith = (options: CallOptions, ...args: readonly string[]): Promise<Finished> =>
  evtctl(args, { cwd: folder, ...options });

async function json<Shape>(...args: readonly string[]): Promise<Shape> {
  const { status, stdout, stderr } = await call(...args, "-o", "json");
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Shape; // what the test expects of it
}

function post(body: object, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${context.url}/v1/tenants/dev/intents`, {
    method: "POST",
    headers: { authorization: `Bearer ${context.apiKey}`, "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

interface Shown {
  readonly phase: string;
  readonly generation: number;
  readonly spec: unknown;
  readonly status: { readonly quota?: { readonly members: number } };
}

describe("publish", () => {
  it("with --watch shows the way to Ready with each controller's mark and ends with status 0", async () => {
    const { status, stdout } = await call(
      "publish",
      "organization.create",
      "--aggregate-id",
      "acme",
      "--spec",
      spec,
      "--watch",
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/^organization\/acme {2}Pending → Progressing \(/);
    for (const controller of ["namespace", "quota", "billing"]) expect(stdout).toContain(`${controller} ✓`);
    expect(stdout).toMatch(/billing ✓ after [\d.]+ m?s.*→ Ready {3}in [\d.]+ m?s\n$/);
  });

  it("with --timeout 1ms ends with its own status and the id; get shows Ready later", async () => {
    const { status, stdout, stderr } = await call(
      "publish",
      "organization.create",
      "--spec",
      spec,
      "--watch",
      "--timeout",
      "1ms",
    );
    expect(status).toBe(7);
    const [, id = ""] = /error timeout: organization\/(\S+) was not settled within 1 ms/.exec(stderr) ?? [];
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(stdout).toContain(id);
    expect(stderr).toContain(`evtctl get organization/${id}`);
    const settled = await call("publish", "organization.create", "--id", id, "--spec", spec, "--watch");
    expect(settled.status).toBe(0);
    expect(await json<Shown>("get", `organization/${id}`)).toMatchObject({ phase: "Ready", generation: 1 });
  });

  it("of one id 100 times in parallel makes one event; another spec under it is refused", async () => {
    const id = "0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7b01";
    const intent = { id, type: "organization.create", spec: JSON.parse(spec) };
    const responses = await Promise.all(Array.from({ length: 100 }, () => post(intent)));
    const statuses = responses.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 200)).toHaveLength(99);
    const other = await call("publish", "organization.create", "--id", id, "--spec", spec.replace("Acme", "Other"));
    expect(other.status).toBe(3);
    expect(other.stderr).toMatch(/^error content_mismatch: .*\n {2}\S/);
  });

  it("of a change keeps what it does not name, and the ETag follows the generation, not the controllers", async () => {
    const change = await call(
      "publish",
      "organization.change-plan",
      "--aggregate-id",
      "acme",
      "--spec",
      '{"plan":"free"}',
      "--watch",
    );
    expect(change.status).toBe(0);
    const resource = await json<Shown>("get", "organization/acme");
    expect(resource).toMatchObject({
      generation: 2,
      phase: "Ready",
      spec: { name: "Acme", plan: "free", region: "eu" },
    });
    expect(resource.status.quota?.members).toBe(3);
    const etag = (
      await fetch(`${context.url}/v1/tenants/dev/resources/organization/acme`, {
        headers: { authorization: `Bearer ${context.apiKey}` },
      })
    ).headers.get("etag");
    expect(etag).toBe('"2"');
    const intent = { type: "organization.change-plan", aggregateId: "acme", spec: { plan: "enterprise" } };
    expect((await post(intent, { "if-match": '"1"' })).status).toBe(412);
    expect((await post(intent, { "if-match": '"2"' })).status).toBe(201);
    const stale = await call(
      "publish",
      "organization.change-plan",
      "--aggregate-id",
      "acme",
      "--spec",
      '{"plan":"free"}',
      "--expected-generation",
      "1",
    );
    expect(stale.status).toBe(4);
    expect(stale.stderr).toContain("error wrong_expected_generation");
  });

  it("takes a spec, an intent and NDJSON from standard input", async () => {
    const fromSpec = await evtctl(
      ["--data-dir", dataDir, "publish", "organization.create", "--aggregate-id", "stdin-1", "--spec", "-"],
      { input: spec },
    );
    const whole = JSON.stringify({ type: "organization.create", aggregateId: "stdin-2", spec: JSON.parse(spec) });
    const fromFile = await evtctl(["--data-dir", dataDir, "publish", "--file", "-"], { input: whole });
    const lines = await evtctl(["--data-dir", dataDir, "publish", "--file", "-", "--ndjson"], {
      input: `${whole.replace("stdin-2", "stdin-3")}\n\n`,
    });
    expect([fromSpec.status, fromFile.status, lines.status]).toEqual([0, 0, 0]);
    expect(lines.stdout).toMatch(/^1 accepted, 0 repeated, 0 refused/);
  });

  it("of the same NDJSON file again adds nothing, of a longer one what is new", async () => {
    const file = join(folder, "intents.ndjson");
    const line = (n: number): string =>
      JSON.stringify({ type: "organization.create", spec: { name: `Customer ${n}`, plan: "free", region: "us" } });
    const lines = Array.from({ length: 300 }, (_, n) => line(n));
    await writeFile(file, `${lines.slice(0, 200).join("\n")}\n`);
    expect((await call("publish", "--file", file)).stdout).toMatch(/^200 accepted, 0 repeated, 0 refused/);
    await writeFile(file, lines.join("\n"));
    expect((await call("publish", "--file", file)).stdout).toMatch(/^100 accepted, 200 repeated, 0 refused/);
    expect((await call("publish", "--file", file)).stdout).toMatch(/^0 accepted, 300 repeated, 0 refused/);
    const list = await json<readonly { spec: { name: string } }[]>("get", "organization");
    const names = list.map((each) => each.spec.name).filter((name) => name.startsWith("Customer "));
    expect(new Set(names).size).toBe(names.length);
    expect(names).toHaveLength(300);
  });

  it("names the lines that are refused and takes the others", async () => {
    const file = join(folder, "mixed.ndjson");
    const good = JSON.stringify({ type: "organization.create", aggregateId: "mixed", spec: JSON.parse(spec) });
    await writeFile(file, `${good}\nnot json\n${good.replace('"team"', '"gold"').replace("mixed", "mixed-2")}\n`);
    const { status, stdout, stderr } = await call("publish", "--file", file);
    expect(status).toBe(3);
    expect(stdout).toMatch(/^1 accepted, 0 repeated, 2 refused/);
    expect(stderr).toContain("line 2: json_invalid");
    expect(stderr).toContain("line 3: schema_violation");
  });
});

describe("looking", () => {
  it("get, describe and schema show resources and types in three forms", async () => {
    const table = await call("get", "organization", "acme");
    expect(table.stdout).toMatch(/^NAME +PHASE +GENERATION .*\norganization\/acme +/);
    const yaml = await call("get", "organization/acme", "-o", "yaml");
    expect(yaml.stdout).toMatch(/^aggregateId: acme$/m);
    expect(yaml.stdout).toMatch(/^spec:\n {2}name: Acme\n/m);
    const described = await call("describe", "organization/acme");
    expect(described.stdout).toMatch(/^Conditions:\n {2}\S+=/m);
    expect(await json<{ effect: string }>("schema", "show", "organization.create")).toMatchObject({
      effect: "creates",
    });
    expect((await call("schema", "list")).stdout).toContain("organization.change-plan");
  });

  it("read and tail give the same events; tail ends by its limit", async () => {
    const read = await call("read", "--limit", "5", "-o", "json");
    const tail = await call("tail", "--after", "0", "--limit", "5", "-o", "json");
    expect(read.stdout.split("\n")).toHaveLength(6);
    expect(tail.stdout).toBe(read.stdout);
    const backwards = await call("read", "--backwards", "--limit", "1", "--kind", "fact");
    expect(backwards.stdout).toMatch(/^ *\d+ {2}\S+ {2}fact /);
  });

  it("trace tells who asked, what allowed it, what followed and how long it took", async () => {
    const { status, stdout } = await call("trace", "organization/stdin-1");
    expect(status).toBe(0);
    expect(stdout).toMatch(/asked by {4}service [0-9a-f-]{36} via http/);
    expect(stdout).toMatch(/allowed by {2}publishers-publish \(ruling [0-9a-f-]{36}/);
    expect(stdout).toMatch(/with key +[0-9a-f-]{36}/);
    expect(stdout).toMatch(/└─ organization\.ready .*\+[\d.]+ m?s, took [\d.]+ m?s/);
    const [, eventId = ""] = /event {7}(\S+) at position/.exec(stdout) ?? [];
    expect((await call("trace", eventId)).stdout).toBe(stdout);
  });

  it("watch shows what there is and then each change", async () => {
    const watching = call("watch", "organization/stdin-2", "--limit", "2", "-o", "json");
    await new Promise((resolve) => setTimeout(resolve, 700));
    await call("publish", "organization.change-plan", "--aggregate-id", "stdin-2", "--spec", '{"plan":"enterprise"}');
    const lines = (await watching).stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Shown);
    expect(lines.map(({ generation }) => generation)).toEqual([1, 2]);
  });

  it("delete waits until the controllers finished their part", async () => {
    const { status, stdout } = await call("delete", "organization/stdin-3", "--watch");
    expect(status).toBe(0);
    expect(stdout).toMatch(/→ Deleted {3}in/);
    const again = await call(
      "publish",
      "organization.change-plan",
      "--aggregate-id",
      "stdin-3",
      "--spec",
      '{"plan":"free"}',
    );
    expect(again.status).toBe(4);
    expect(again.stderr).toContain("error resource_deleted");
  });
});

describe("administration", () => {
  it("creates tenants and keys that work, and revokes them", async () => {
    expect((await call("tenant", "create", "globex")).stdout).toMatch(/^tenant globex {2}created/);
    expect((await call("tenant", "create", "globex")).stdout).toMatch(/^tenant globex {2}existed already/);
    const created = await call("key", "create", "globex", "--name", "ci", "--grants", "publisher,reader");
    const key = created.stdout.trim();
    expect(key).toMatch(/^epk_/);
    const environment = { EVENTPLANE_URL: context.url, EVENTPLANE_TENANT: "globex", EVENTPLANE_API_KEY: key };
    expect((await callWith({ environment }, "publish", "organization.create", "--spec", spec)).status).toBe(0);
    expect((await callWith({ environment }, "get", "organization", "--tenant", "dev")).status).toBe(3);
    const [, id = ""] = /^epk_([0-9a-f-]{36})_/.exec(key) ?? [];
    expect((await call("key", "revoke", "globex", id)).status).toBe(0);
    const refused = await callWith({ environment }, "get", "organization");
    expect(refused.status).toBe(3);
    expect(refused.stderr).toContain("error unauthenticated");
    expect((await call("key", "list", "globex")).stdout).toMatch(/ci +publisher,reader/);
  });

  it("limits a key, and rotates it to one with the same limits", async () => {
    const limits = [
      "--scope",
      "organization.*",
      "reader:quota.*",
      "--expires",
      "90d",
      "--network",
      "127.0.0.0/8",
      "::1",
    ];
    const created = await call("key", "create", "dev", "--name", "shop", "--grants", "publisher,reader", ...limits);
    const [, id = ""] = /^epk_([0-9a-f-]{36})_/.exec(created.stdout) ?? [];
    const rotated = await call("key", "rotate", "dev", id, "--overlap", "30m");
    expect(rotated.stderr).toContain(`takes the place of ${id}`);
    const key = rotated.stdout.trim();
    const environment = { EVENTPLANE_URL: context.url, EVENTPLANE_TENANT: "dev", EVENTPLANE_API_KEY: key };
    expect((await callWith({ environment }, "publish", "organization.create", "--spec", spec)).status).toBe(0);
    const [, newId = ""] = /^epk_([0-9a-f-]{36})_/.exec(key) ?? [];
    const { stdout } = await call("key", "list", "dev", "--output", "json");
    const listed = new Map((JSON.parse(stdout) as { id: string }[]).map((each) => [each.id, each])); // as the edge answers
    const same = {
      scopes: ["organization.*", "reader:quota.*"],
      networks: ["127.0.0.0/8", "::1"],
      grants: ["publisher", "reader"],
    };
    expect(listed.get(id)).toMatchObject({ ...same, replacedBy: newId });
    expect(listed.get(newId)).toMatchObject({ ...same, replaces: id, revokedAt: null });
    expect((await call("key", "create", "dev", "--name", "x", "--grants", "reader", "--expires", "soon")).status).toBe(
      2,
    );
    expect((await call("key", "rotate", "dev", id, "--overlap", "soon")).status).toBe(2);
  });

  it("doctor, config show and completion answer without a secret", async () => {
    const doctor = await call("doctor");
    expect(doctor.status).toBe(0);
    expect(doctor.stdout).toMatch(/^ok +plane /m);
    expect(doctor.stdout).toMatch(/^warning +root key .*offline/m);
    const environment = { DATABASE_URL: "postgresql://someone:hunter2@db.internal/eventplane" };
    const config = await evtctl(["--data-dir", dataDir, "config", "show"], { environment });
    expect(config.stdout).toMatch(
      /database\.url +postgresql:\/\/someone:\*\*\*\*@db\.internal\/eventplane +environment/,
    );
    expect(config.stdout).not.toContain("hunter2");
    expect(config.stdout).not.toContain(context.apiKey);
    for (const shell of ["bash", "zsh", "fish"])
      expect((await call("completion", shell)).stdout).toContain("dead-letter");
  });
});

describe("secrets", () => {
  it("in argv end with status 2 before anything is done, and are not repeated", async () => {
    for (const args of [
      ["--api-key", "epk_x"],
      ["get", "organization", "--token=abc123"],
      ["--password", "abc123", "dev"],
      ["publish", context.apiKey],
    ]) {
      const { status, stderr, stdout } = await call(...args);
      expect(status).toBe(2);
      expect(stderr).toMatch(/^error secret_in_arguments: .*\n {2}.*EVENTPLANE_API_KEY.*\n$/);
      expect(stdout + stderr).not.toMatch(/abc123|epk_/);
    }
  });

  it("in a file that others can read are refused", async () => {
    const path = join(folder, "api.key");
    await writeFile(path, `${context.apiKey}\n`, { mode: 0o644 });
    const environment = { EVENTPLANE_URL: context.url, EVENTPLANE_TENANT: "dev", EVENTPLANE_API_KEY_FILE: path };
    await chmod(path, 0o644);
    const refused = await callWith({ environment }, "get", "organization");
    expect(refused.status).toBe(3);
    expect(refused.stderr).toContain("error key_file_insecure");
    await chmod(path, 0o600);
    expect((await callWith({ environment }, "get", "organization")).status).toBe(0);
  });

  it("come from standard input too", async () => {
    const environment = { EVENTPLANE_URL: context.url, EVENTPLANE_TENANT: "dev" };
    expect(
      (await callWith({ environment, input: `${context.apiKey}\n` }, "get", "organization", "--api-key-stdin")).status,
    ).toBe(0);
    expect((await callWith({ environment }, "get", "organization")).status).toBe(2);
  });

  it("that were found in a folder are not sent to another address", async () => {
    const { status, stderr } = await call("get", "organization", "--url", "http://127.0.0.2:9");
    expect(status).toBe(2);
    expect(stderr).toContain("not sent to another address");
  });
});

describe("failures", () => {
  it("are told in two lines with their code and their own status", async () => {
    const unknown = await call("get", "organization/nobody");
    expect(unknown.status).toBe(1);
    expect(unknown.stderr).toMatch(/^error not_found: [^\n]+\n {2}[^\n]+\n$/);
    const usage = await call("publish", "--no-such-option");
    expect(usage.status).toBe(2);
    expect(usage.stderr).toMatch(/^error usage: [^\n]+\n {2}Run `evtctl publish --help`[^\n]+\n$/);
    const misspelt = await call("publis");
    expect(misspelt.stderr).toMatch(/^error usage: [^\n]+Did you mean publish[^\n]+\n {2}Run `evtctl --help`[^\n]+\n$/);
    expect((await call("publish")).stderr).toMatch(/^error usage: [^\n]+\n {2}`evtctl COMMAND --help`[^\n]+\n$/);
    const environment = {
      EVENTPLANE_URL: "http://127.0.0.1:9",
      EVENTPLANE_TENANT: "dev",
      EVENTPLANE_API_KEY: context.apiKey,
    };
    const unavailable = await callWith({ environment }, "read", "--limit", "1");
    expect(unavailable.status).toBe(5);
    expect(unavailable.stderr).toContain("error unavailable");
  });

  it("never bring a colour or a control character from outside to the terminal", async () => {
    const name = "Evil \\u001b[31m\\u202e\\u009b";
    await call(
      "publish",
      "organization.create",
      "--aggregate-id",
      "evil",
      "--spec",
      `{"name":"${name}","plan":"team","region":"eu"}`,
      "--watch",
    );
    for (const output of ["table", "json", "yaml"]) {
      const { status, stdout } = await call("get", "organization/evil", "-o", output);
      expect(status).toBe(0);
      expect(stdout).toContain("Evil");
      expect(stdout).not.toMatch(/[\u001b\u0080-\u009f\u202a-\u202e]/u);
    }
  });
});
