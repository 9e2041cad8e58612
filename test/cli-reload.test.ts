/** A controller that throws for one resource, from the line in the terminal to Ready after a saved fix (the check 5). */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeadLetterInfo, ReplayInfo } from "../src/client/index.js";
import { buildCommand, evtctl, type Finished, freePort, Served, until } from "./support/evtctl-process.js";

let folder = "";
let dataDir = "";
let config = "";
let dev: Served;

/** @param quota the body of the controller's reconcile */
function appText(quota: string): string {
  return `import { defineAggregate, defineApp, defineController, done } from "eventplane";

const organization = defineAggregate("organization", {
  spec: { type: "object", properties: { name: { type: "string" } }, required: ["name"] } as const,
  status: { quota: { type: "object", properties: { members: { type: "integer" } }, required: ["members"] } as const },
  intents: { create: { creates: true } },
});

const quota = defineController({
  name: "quota",
  watches: organization,
  reconcile: ({ resource }) => {
    ${quota}
    return done({ members: 3 });
  },
});

export default defineApp({ aggregates: [organization], controllers: [quota] });
`;
}
const throwingLine = 13;
const throwing = appText(
  'if (resource.spec.name === "Broken") throw new Error("secret payload " + resource.spec.name);',
);

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-reload-"));
  dataDir = join(folder, "data");
  config = join(folder, "eventplane.config.ts");
  await writeFile(config, throwing);
  dev = Served.start(["dev", "--data-dir", dataDir, "--config", config], await freePort());
  await dev.ready();
  await dev.says("Eventplane is ready");
});

afterAll(async () => {
  await dev?.end("SIGTERM");
  await rm(folder, { recursive: true, force: true });
});

const call = (...args: readonly string[]): Promise<Finished> => evtctl(["--data-dir", dataDir, ...args]);
const create = (id: string, name: string, ...more: readonly string[]): Promise<Finished> =>
  call("publish", "organization.create", "--aggregate-id", id, "--spec", JSON.stringify({ name }), ...more);

async function json<Shape>(...args: readonly string[]): Promise<Shape> {
  const { status, stdout, stderr } = await call(...args, "-o", "json");
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Shape; // what the test expects of it
}

describe("a controller that throws for one organization", () => {
  it("shows the file and the line, never the error's text, and gives up after 5 attempts", async () => {
    const { status, stderr, stdout } = await create("broken", "Broken", "--watch", "--timeout", "20s");
    expect(status).toBe(1);
    expect(stdout).toContain("Failed");
    expect(stderr).toMatch(/reconcile_failed.*\n.*dead-letter list/);
    expect(dev.output).toContain(`eventplane.config.ts:${throwingLine}:`);
    expect(dev.output).not.toContain("secret payload");
  });

  it("leaves the other organizations alone", async () => {
    const { status, stdout } = await create("fine", "Fine", "--watch");
    expect(status).toBe(0);
    expect(stdout).toMatch(/Pending → Progressing \(quota ✓\) → Ready {3}in [\d.]+ m?s/);
  });

  it("lists one dead letter with its attempts and place", async () => {
    const letters = await json<DeadLetterInfo[]>("dead-letter", "list");
    expect(letters).toHaveLength(1);
    expect(letters[0]).toMatchObject({
      aggregateType: "organization",
      aggregateId: "broken",
      component: "quota",
      attempts: 5,
    });
    expect(letters[0]?.failure.message).toContain(`eventplane.config.ts:${throwingLine}`);
    expect(await json("dead-letter", "show", letters[0]?.id ?? "")).toEqual(letters[0]);
    const described = await call("describe", "organization/broken");
    expect(described.stdout).toContain("Stalled=True");
  });

  it("keeps the app when a broken configuration is saved, and says where it is broken", async () => {
    await writeFile(config, `${throwing}\nconst unfinished = (;\n`);
    await dev.says("not reloaded");
    expect(dev.output).toMatch(/not reloaded config_invalid: .*eventplane\.config\.ts/);
    expect((await create("still-fine", "Still fine", "--watch")).status).toBe(0);
  });

  it("loads the fixed configuration on save; redriven, the organization is Ready with one fact", async () => {
    await writeFile(config, appText(""));
    await dev.says(/^reloaded /m);
    const [letter] = await json<DeadLetterInfo[]>("dead-letter", "list");
    const old = letter?.codeVersion ?? "";
    const redrive = ["dead-letter", "redrive", "--code-version", old, "--rate", "10"];
    expect((await call("dead-letter", "redrive")).status).toBe(2);
    expect((await call("dead-letter", "redrive", letter?.id ?? "", "--all")).status).toBe(2);
    expect((await call(...redrive, "--dry-run")).stdout).toBe("1 dead letters would be tried again\n");
    expect(await json("dead-letter", "list", "--groups")).toMatchObject([
      { component: "quota", codeVersion: old, count: 1 },
    ]);
    expect(await json("dead-letter", "list", "--component", "other")).toEqual([]);
    expect((await call(...redrive)).stdout).toBe("1 of 1 dead letters are tried again\n");
    await until(
      async () => (await json<{ phase: string }>("get", "organization/broken")).phase === "Ready",
      10_000,
      () => dev.output,
    );
    const { stdout } = await call("read", "--aggregate-id", "broken", "--limit", "0", "-o", "json");
    const types = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).type);
    expect(types.filter((type) => type === "organization.create.quota")).toHaveLength(1);
    expect(types.filter((type) => type === "organization.ready")).toHaveLength(1);
    expect(await json("dead-letter", "list")).toEqual([]);
    expect((await call("verify")).status).toBe(0);
  });

  it("replays a resource to its controller, dry, and shows what would come of it", async () => {
    expect((await call("replay", "create")).status).toBe(2);
    expect((await call("replay", "create", "--controller", "nobody")).status).toBe(3);
    const create = ["replay", "create", "--controller", "quota", "--resource", "organization/broken", "--rate", "50"];
    expect((await call(...create, "--resource", "team/1")).status).toBe(2);
    const made = await call(...create, "--dry-run");
    expect(made.stdout).toMatch(/^replay [0-9a-f-]{36} is made; see `evtctl replay show [0-9a-f-]{36}`\n$/);
    const id = made.stdout.split(" ")[1] ?? "";
    await until(
      async () => (await json<ReplayInfo>("replay", "show", id)).state === "completed",
      10_000,
      () => dev.output,
    );
    expect(await json("replay", "show", id)).toMatchObject({
      target: { kind: "controller", name: "quota" },
      dryRun: true,
      progress: { results: { unchanged: 1 } },
    });
    expect((await call("replay", "list")).stdout).toMatch(/controller\/quota +completed \(dry run\).*unchanged 1/);
    for (const change of ["pause", "resume", "cancel"])
      expect((await call("replay", change, id)).stderr).toContain("replay_ended");
  });
});
