/** `eventplane init` of the packed package: what it writes installs, type-checks and passes its own test. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { repository } from "./support/embedded-fixture.js";
import { buildCommand } from "./support/evtctl-process.js";

const run = promisify(execFile);
const { PATH = "", HOME = "" } = process.env;
const env = { PATH, HOME, NO_COLOR: "1" };
const written = [
  ".dockerignore",
  ".gitignore",
  "Dockerfile",
  "eventplane.config.ts",
  "eventplane.test.ts",
  "package.json",
  "tsconfig.json",
];

let folder = "";
let archive = "";

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-init-"));
  await run("npm", ["pack", "--pack-destination", folder], { cwd: repository });
  [archive = ""] = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
  // The package as it was packed, beside its dependencies: what `npx eventplane init` runs.
  await run("tar", ["-xf", archive], { cwd: folder });
  await symlink(join(repository, "node_modules"), join(folder, "node_modules"));
}, 90_000);
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function init(...args: readonly string[]): Promise<Finished> {
  const command = [join(folder, "package/dist/cli/main.js"), "init", ...args];
  return run(process.execPath, command, { cwd: folder, env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: unknown) => error as Finished, // execFile's error has them
  );
}

describe("eventplane init", () => {
  it("writes an application whose `npm test` passes with this package, and says what comes next", async () => {
    const { code, stdout, stderr } = await init("My App!");
    expect([code, stderr.trim()]).toEqual([0, "Now: cd 'My App!' && npm install && npm test && npm run dev"]);
    expect(stdout.trim().split("\n").sort()).toEqual(written.map((name) => `wrote My App!/${name}`));
    const app = join(folder, "My App!");
    expect((await readdir(app)).sort()).toEqual(written);
    expect(JSON.parse(await readFile(join(app, "package.json"), "utf8"))).toMatchObject({
      name: "my-app",
      private: true,
    });

    await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", join("..", archive)], {
      cwd: app,
      env,
    });
    const tested = await run("npm", ["test"], { cwd: app, env });
    expect(tested.stdout).toMatch(/^# pass 3$|^ℹ pass 3$/m);
    expect(tested.stdout).toMatch(/^# fail 0$|^ℹ fail 0$/m);

    const broken = (await readFile(join(app, "eventplane.config.ts"), "utf8")).replace("team: 25", "team: 24");
    await writeFile(join(app, "eventplane.config.ts"), broken);
    const failed = await run("npm", ["test"], { cwd: app, env }).catch((error: unknown) => error as Finished);
    expect(failed.stdout).toContain('got       completed · status {"members":24}');
  }, 180_000);

  it("copies into the image only what it has written, and starts what the package has", async () => {
    const docker = await readFile(join(folder, "package/examples/starter/Dockerfile"), "utf8");
    const sources = [...docker.matchAll(/^COPY (.*) \.\/$/gmu)].flatMap(([, names = ""]) => names.split(" "));
    expect(sources.filter((name) => name !== "package-lock.json" && !written.includes(name))).toEqual([]);
    expect(docker).toContain('CMD ["node_modules/.bin/eventplane", "start"]');
    const { bin } = JSON.parse(await readFile(join(folder, "package/package.json"), "utf8"));
    expect(Object.keys(bin)).toContain("eventplane");
  });

  it("overwrites nothing: with one of the files there, none is written", async () => {
    const standing = join(folder, "standing");
    await mkdir(standing);
    await writeFile(join(standing, "tsconfig.json"), "{}\n");
    const { code, stderr } = await init("standing");
    expect(code).toBe(2);
    expect(stderr).toContain("has tsconfig.json already; nothing was written");
    expect(await readdir(standing)).toEqual(["tsconfig.json"]);
    expect(await readFile(join(standing, "tsconfig.json"), "utf8")).toBe("{}\n");
  });

  it("makes the folder, or says that it cannot", async () => {
    const { stdout } = await init("a/b", "-o", "json");
    expect(JSON.parse(stdout)).toEqual({ folder: join(folder, "a/b"), files: expect.arrayContaining(written) });
    await writeFile(join(folder, "file"), "");
    expect(await init("file/app")).toMatchObject({ code: 2, stderr: expect.stringContaining("cannot be written") });
  });
});
