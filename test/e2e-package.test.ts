/** The packed package, installed into an empty folder with npm as it is set up here, and used from there. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { repository } from "./support/embedded-fixture.js";
import { buildCommand, freePort, isAlive, postgresPid, until } from "./support/evtctl-process.js";

const run = promisify(execFile);
const config = `import { defineAggregate, defineApp, defineController, done } from "eventplane";
const note = defineAggregate("note", {
  spec: { type: "object", properties: { text: { type: "string" } }, required: ["text"] } as const,
  status: { length: { type: "object", properties: { characters: { type: "integer" } }, required: ["characters"] } as const },
  intents: { create: { creates: true } },
});
const length = defineController({
  name: "length",
  watches: note,
  reconcile: ({ resource }) => done({ characters: resource.spec.text.length }),
});
export default defineApp({ aggregates: [note], controllers: [length] });
`;

let folder = "";
let app = "";
let dev: ChildProcess | undefined;

/** What a user's shell has: nothing of this test run. */
const { PATH = "", HOME = "" } = process.env;
const environment = { PATH, HOME, NO_COLOR: "1" };
const npx = (...args: readonly string[]): Promise<{ stdout: string; stderr: string }> =>
  run("npx", ["--no-install", ...args], { cwd: app, env: environment, timeout: 40_000 });

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-package-"));
  app = join(folder, "app");
  await run("npm", ["pack", "--pack-destination", folder], { cwd: repository });
  const [archive = ""] = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
  await run("mkdir", [app]);
  await writeFile(join(app, "package.json"), '{ "name": "app", "private": true, "type": "module" }\n');
  await writeFile(join(app, "eventplane.config.ts"), config);
  await run("npm", ["install", "--prefer-offline", join("..", archive)], { cwd: app, env: environment });
}, 90_000);
afterAll(async () => {
  signal("SIGKILL");
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** To npx and its child, as a terminal does. */
function signal(name: NodeJS.Signals): void {
  if (dev?.pid === undefined) return;
  try {
    process.kill(-dev.pid, name);
  } catch {
    // All of the group have ended.
  }
}

describe("the installed package", () => {
  it("brings no test, no source and no development dependency", async () => {
    const own = await readdir(join(app, "node_modules/eventplane"));
    expect(own.sort()).toEqual(["CHANGELOG.md", "LICENSE", "README.md", "dist", "examples", "package.json"].sort());
    const { dependencies } = JSON.parse(await readFile(join(repository, "package.json"), "utf8"));
    const installed = await readdir(join(app, "node_modules"));
    for (const name of Object.keys(dependencies)) expect(installed).toContain(name.split("/")[0]);
    for (const name of ["vitest", "typescript", "@octokit"]) expect(installed).not.toContain(name);
  });

  it("runs the team's own app with `npx eventplane dev`, and an intent becomes Ready", async () => {
    const port = String(await freePort());
    dev = spawn("npx", ["--no-install", "eventplane", "dev", "--port", port], {
      cwd: app,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let said = "";
    for (const stream of [dev.stdout, dev.stderr]) stream?.setEncoding("utf8").on("data", (text) => (said += text));
    await until(
      async () => said.includes("Eventplane is ready"),
      30_000,
      () => said,
    );

    const { stdout } = await npx("eventplane", "publish", "note.create", "--spec", '{"text":"hello"}', "--watch");
    expect(stdout).toMatch(/^note\/\S+ {2}Pending → Progressing \(length ✓\) → Ready/);
    const { stdout: shown } = await npx("evtctl", "get", "note", "-o", "json");
    expect(JSON.parse(shown)).toMatchObject([{ phase: "Ready", status: { length: { characters: 5 } } }]);
    expect((await npx("evtctl", "verify")).stdout).toContain("chain 1…3 holds");

    const database = postgresPid(join(app, ".eventplane"));
    signal("SIGINT");
    await until(
      async () => said.includes("Ended; everything is on disk.") && !isAlive(database),
      10_000,
      () => said,
    );
  }, 60_000);

  it("has a demo that goes on without the real payloads, which are a development dependency", async () => {
    const { stdout } = await npx("eventplane", "demo");
    expect(stdout).toContain("@octokit/webhooks-examples is not installed here");
    expect(stdout).toContain("all 200 acknowledged");
    expect(stdout).toMatch(/All \d+ checks hold\./);
  }, 60_000);

  it("runs in the process of a program, which publishes and reads what became of it", async () => {
    const program = `import { defineAggregate, defineApp, defineController, done } from "eventplane";
      import { openPlane } from "eventplane/plane";
      const note = defineAggregate("note", {
        spec: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
        intents: { create: { creates: true } },
      });
      const length = defineController({
        name: "length",
        watches: note,
        reconcile: ({ resource }) => done({ characters: resource.spec.text.length }),
      });
      const plane = await openPlane(defineApp({ aggregates: [note], controllers: [length] }), { dataDir: "embedded" });
      await plane.createTenant("acme");
      const me = plane.as({ tenant: "acme", principal: { id: "user-1" } });
      const { settled } = await me.publish(note.create({ text: "hello" }, { aggregateId: "n" }), { wait: "settled" });
      console.log(settled, (await me.resource(note, "n")).status.length.characters);
      await plane.close();`;
    await writeFile(join(app, "embedding.mjs"), program);
    const { stdout, stderr } = await run(process.execPath, ["embedding.mjs"], { cwd: app, env: environment });
    expect([stdout.trim(), stderr]).toEqual(["ready 5", ""]);
    // Its PostgreSQL has ended too.
    expect(existsSync(join(app, "embedded/pgdata/PG_VERSION"))).toBe(true);
    expect(existsSync(join(app, "embedded/pgdata/postmaster.pid"))).toBe(false);
  }, 60_000);

  it("gives programs its client, its types and its test tools", async () => {
    const program = `import { createClient } from "eventplane/client";
      import { defineApp, EventplaneError } from "eventplane";
      import { EventBus } from "eventplane/bus";
      import * as testing from "eventplane/testing";
      console.log(typeof createClient, typeof defineApp, typeof EventplaneError, typeof EventBus, Object.keys(testing).length > 0);`;
    await writeFile(join(app, "program.mjs"), program);
    const { stdout } = await run(process.execPath, ["program.mjs"], { cwd: app, env: environment });
    expect(stdout.trim()).toBe("function function function function true");
  });
});
