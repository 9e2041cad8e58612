/** Another version of the controllers, from the terminal: what it would decide otherwise. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Redecided } from "../src/controller/index.js";
import { buildCommand, evtctl, type Finished, freePort, Served } from "./support/evtctl-process.js";

let folder = "";
let dataDir = "";
let dev: Served;

/** Organizations whose quota for a team is this. */
const appText = (
  team: string,
): string => `import { defineAggregate, defineApp, defineController, done } from "eventplane";

const organization = defineAggregate("organization", {
  spec: { type: "object", properties: { plan: { enum: ["free", "team"] } }, required: ["plan"] } as const,
  status: { quota: { type: "object", properties: { members: { type: "integer" } } } as const },
  intents: { create: { creates: true }, "change-plan": {} },
});
const quota = defineController({
  name: "quota",
  watches: organization,
  reconcile: ({ resource }) => done({ members: resource.spec.plan === "team" ? ${team} : 3 }),
});

export default defineApp({ aggregates: [organization], controllers: [quota] });
`;

const organizations = 12;
const teams = 4;

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-controllers-"));
  dataDir = join(folder, "data");
  await writeFile(config("today"), appText("25"));
  await writeFile(config("candidate"), appText("50"));
  await writeFile(config("failing"), appText('(() => { throw new TypeError("no limit") })()'));
  dev = Served.start(["dev", "--data-dir", dataDir, "--config", config("today")], await freePort());
  await dev.ready();
  await dev.says("Eventplane is ready");
  for (let at = 0; at < organizations; at++) {
    const spec = JSON.stringify({ plan: at < teams ? "team" : "free" });
    const published = await call(
      "publish",
      "organization.create",
      "--aggregate-id",
      `org-${at}`,
      "--spec",
      spec,
      "--watch",
    );
    expect(published.status).toBe(0);
  }
});
afterAll(async () => {
  await dev?.end("SIGTERM");
  await rm(folder, { recursive: true, force: true });
});

const config = (name: string): string => join(folder, `${name}.config.ts`);
const call = (...args: readonly string[]): Promise<Finished> => evtctl(["--data-dir", dataDir, ...args]);
const verify = (name: string, ...args: readonly string[]): Promise<Finished> =>
  call("controllers", "verify", "--config", config(name), ...args);

describe("evtctl controllers verify", () => {
  it("finds nothing with the controllers that decided", async () => {
    const { status, stdout } = await verify("today");
    expect(stdout).toBe(`${organizations} decisions would be the same\n`);
    expect(status).toBe(0);
  });

  it("counts what a candidate would decide otherwise, shows the first, writes nothing, ends with 6", async () => {
    const { stdout: before } = await call("verify");
    const { status, stdout } = await verify("candidate", "--limit", "2");
    expect(status).toBe(6);
    expect(stdout.split("\n")).toEqual([
      expect.stringMatching(/^organization\/org-0 {2}quota {2}position \d+$/),
      "  organization.create.quota /status/quota/members: 25 → 50",
      expect.stringMatching(/^organization\/org-1 {2}quota {2}position \d+$/),
      "  organization.create.quota /status/quota/members: 25 → 50",
      `… and ${teams - 2} more`,
      `${teams} of ${organizations} decisions would be another (quota ${teams}), of ${teams} resources`,
      "",
    ]);
    expect((await call("verify")).stdout).toBe(before);
  });

  it("gives the same as JSON, from a position or a time on", async () => {
    const all = await verify("candidate", "-o", "json");
    expect(all.status).toBe(6);
    const { differing, first } = JSON.parse(all.stdout) as Redecided; // the command's form
    expect(differing).toEqual({ decisions: teams, resources: teams });
    const [, , third] = first;
    for (const since of [String((third?.position ?? 0) - 1), third?.recordedAt ?? ""]) {
      const late = await verify("candidate", "-o", "json", "--since", since);
      expect((JSON.parse(late.stdout) as Redecided).differing.decisions).toBe(2); // the command's form
    }
    expect((await verify("candidate", "--since", "2100-01-01T00:00:00Z")).status).toBe(0);
  });

  it("tells a candidate that fails, without the error's own text", async () => {
    const { status, stdout } = await verify("failing");
    expect(status).toBe(6);
    expect(stdout).toContain("fails: TypeError: The controller threw TypeError at ");
    expect(stdout).not.toContain("no limit");
  });

  it("refuses a beginning that is neither position nor time, and a file that is no app", async () => {
    expect(await verify("today", "--since", "yesterday")).toMatchObject({ status: 2 });
    expect(await verify("none")).toMatchObject({ status: 2 });
  });
});

describe("evtctl controllers list, backfill and retire", () => {
  it("shows the controllers, says what a backfill would be about, and asks for it", async () => {
    const { stdout } = await call("controllers", "list");
    expect(stdout.split("\n")).toEqual([
      expect.stringMatching(/^CONTROLLER +WATCHES +CONFIGURED +WAITING +OLDEST +DEAD LETTERS$/),
      expect.stringMatching(/^quota +organization +yes +0 +0 s +0$/),
      "",
    ]);
    const dry = await call("controllers", "backfill", "quota", "--dry-run");
    expect(dry.stdout).toMatch(/ {2}backfill quota: 12 resources to look at; nothing was asked for\n$/);
    const made = await call("controllers", "backfill", "quota", "-o", "json");
    expect(JSON.parse(made.stdout)).toMatchObject([
      { controller: "quota", change: "backfill", resources: 12, dryRun: false },
    ]);
  });

  it("retires what no configuration has, in every tenant, and refuses what one has", async () => {
    const all = await call("controllers", "retire", "legacy", "--all-tenants", "--dry-run");
    expect(all.status).toBe(0);
    const lines = all.stdout.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThanOrEqual(1);
    for (const line of lines)
      expect(line).toMatch(/ {2}retire legacy: 0 resources waiting for it; nothing was asked for$/);
    const refused = await call("controllers", "retire", "quota");
    expect(refused).toMatchObject({ status: 3 });
    expect(refused.stderr).toContain("is in the configuration of this edge");
    expect(await call("controllers", "backfill", "legacy")).toMatchObject({ status: 1 });
    expect(await call("--tenant", "dev", "controllers", "retire", "legacy", "--all-tenants")).toMatchObject({
      status: 2,
    });
  });
});
