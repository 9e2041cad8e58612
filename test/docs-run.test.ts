/** The code of the pages about testing and embedding, run as a reader would run it: a test file against the built package. */
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { repository } from "./support/embedded-fixture.js";
import { buildCommand } from "./support/evtctl-process.js";

const run = promisify(execFile);
/** In either of the forms that node:test reports in. */
const failedNone = /^(?:#|ℹ) fail 0$/m;
/** Inside the repository, so that `eventplane` is this package and its dependencies are there. */
const folder = join(repository, ".cache", `docs-run-${process.pid}`);

beforeAll(async () => {
  buildCommand();
  await mkdir(folder, { recursive: true });
}, 90_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function blocksOf(page: string): Promise<readonly string[]> {
  const text = await readFile(join(repository, page), "utf8");
  return [...text.matchAll(/^```ts check(?: continued)?\n([\s\S]*?)^```$/gmu)].map(([, block = ""]) => block);
}

/** As `npm test` of a new application does: jiti runs the file, node:test what is in it. */
async function runAsTest(name: string, code: string): Promise<string> {
  const file = join(folder, `${name}.test.ts`);
  await writeFile(file, code);
  const { NODE_OPTIONS: _, ...env } = process.env;
  const jiti = join(repository, "node_modules/jiti/lib/jiti-cli.mjs");
  const { stdout } = await run(process.execPath, [jiti, file], { cwd: repository, env, timeout: 60_000 });
  return stdout;
}

describe("docs/how-to/test-your-controllers.md", () => {
  it("has code that passes under node:test", async () => {
    const blocks = await blocksOf("docs/how-to/test-your-controllers.md");
    expect(blocks.length).toBe(3);
    const said = await Promise.all(blocks.map((code, index) => runAsTest(`kit-${index}`, code)));
    expect(said[0]).toBe(""); // sentences of their own: they would have thrown
    for (const text of said.slice(1)) expect(text).toMatch(failedNone);
    expect(said.join()).toContain("one customer cannot read, count, change or break another's");
    expect(said.join()).toContain("an organization gets its customer, though the first call's answer is lost");
  });

  it("shows a failure as the kit prints it under node:test", async () => {
    const [block = ""] = await blocksOf("docs/how-to/test-your-controllers.md");
    const failing = block.replace("done({ members: 25 }));", "done({ members: 3 }));");
    const page = await readFile(join(repository, "docs/how-to/test-your-controllers.md"), "utf8");
    const shown = /^Controller quota on .* decided otherwise\.\n.*\n.*$/m.exec(page)?.[0] ?? "no such lines";
    const failure = await runAsTest("failing", failing).then(
      () => "it passed",
      (error: unknown) => (error as { readonly stderr: string }).stderr, // execFile's error has it
    );
    for (const line of shown.split("\n")) expect(failure).toContain(line.trim());
  });
});

describe("docs/how-to/check-an-adapter.md", () => {
  it("has suites that run and pass under node:test", async () => {
    const [block = ""] = await blocksOf("docs/how-to/check-an-adapter.md");
    const text = await runAsTest("adapter", block);
    expect(text).toMatch(failedNone);
    expect(Number(/^(?:#|ℹ) pass (\d+)$/m.exec(text)?.[1])).toBeGreaterThan(100);
  });
});

describe("docs/how-to/secure-the-bus.md", () => {
  it("is a program whose attacks all fail", async () => {
    const blocks = await blocksOf("docs/how-to/secure-the-bus.md");
    const text = await runAsTest("secure-bus", blocks.join("\n"));
    expect(text).toMatch(failedNone);
    expect(Number(/^(?:#|ℹ) pass (\d+)$/m.exec(text)?.[1])).toBe(10);
  });

  it.each<[string, string, string, RegExp]>([
    [
      "schemas are open",
      "additionalProperties: false",
      "additionalProperties: true",
      /not ok \d+ - 1: what the schema does not know/,
    ],
    ["a mark is missing", ', "x-eventplane-sensitive": true', "", /not ok \d+ - 3: neither log, export nor error text/],
    [
      "messages may be old",
      "maxAgeMs: 300_000",
      "maxAgeMs: 7_200_000",
      /not ok \d+ - 4: forged, changed, replayed and stale/,
    ],
    ["there is no rate limit", "rateLimit: { perSecond: 500, burst: 500 },", "", /not ok \d+ - 5: a flood is refused/],
  ])("finds out when %s", async (_name, line, instead, expected) => {
    const code = (await blocksOf("docs/how-to/secure-the-bus.md")).join("\n");
    expect(code).toContain(line);
    const failure = await runAsTest("insecure-bus", code.replaceAll(line, instead)).then(
      () => "it passed",
      (error: unknown) => (error as { readonly stdout: string }).stdout, // execFile's error has it
    );
    expect(failure).toMatch(expected);
  });
});
