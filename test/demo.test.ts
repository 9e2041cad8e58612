/** `npm run demo`, as a newcomer runs it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { repository, until } from "./support/embedded-fixture.js";

/** The demo's temporary folders go in here, so that what it leaves is seen. */
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "demo-test-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly ended: Promise<number | null>;
}

function run(script: string): Run {
  const child = spawn(process.execPath, [script], {
    cwd: repository,
    env: { ...process.env, TMPDIR: folder, NO_COLOR: "1", DATABASE_URL: "postgresql://nobody@127.0.0.1:1/none" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  return { child, said: () => said, ended: once(child, "close").then(() => child.exitCode) };
}

/** Command lines of living processes that work in the folder or name it. */
function leftProcesses(): readonly string[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8");
      return command.includes(folder) || readlinkSync(`/proc/${name}/cwd`).startsWith(folder) ? [command] : [];
    } catch {
      return []; // ended in the meantime
    }
  });
}

function expectNothingLeft(): void {
  expect(leftProcesses()).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
}

describe("the demo", () => {
  it("holds all its checks within a minute and leaves neither process nor file", async () => {
    const startMs = performance.now();
    const { said, ended } = run("scripts/demo.mjs");
    const status = await ended;
    expect({ status, said: said() }).toMatchObject({ status: 0 });
    expect(performance.now() - startMs).toBeLessThan(60_000);
    expect(said()).not.toContain("✗");
    expect(said()).toMatch(/All \d+ checks hold\./);
    expect(said()).toContain("0 lost: all 549 published intents are there");
    expect(said()).toMatch(
      /✓ a projection rebuilt live with the same digest, [0-9a-f]{16}…: \d+ reads meanwhile, 0 errors/,
    );
    expect(said()).toMatch(/the candidate's: 6\d of 200 organizations would change, all by quota; status 6/);
    expect(said()).toContain("B reads acme: 403 forbidden");
    expect(said()).toContain("`evtctl verify` exits 6");
    expectNothingLeft();
  }, 90_000);

  it("says which check failed and exits with 1 when an intent is lost", async () => {
    const { said, ended } = run("test/support/demo-without-intent.mjs");
    const status = await ended;
    expect({ status, said: said() }).toMatchObject({ status: 1 });
    expect(said()).toContain("✗ 1 lost: all 549 published intents are there");
    expect(said()).toMatch(/\d+ of \d+ checks FAILED/);
    expectNothingLeft();
  }, 120_000);

  it("ends everything when it is interrupted in the middle", async () => {
    const { child, said, ended } = run("scripts/demo.mjs");
    await until(() => said().includes("kill -9"), 40_000);
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    expectNothingLeft();
  }, 90_000);
});
