/** The code of the pages about testing and embedding, run as a reader would run it: a test file against the built package. */
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { repository } from "./support/embedded-fixture.js";
import { buildCommand } from "./support/evtctl-process.js";

const run = promisify(execFile);
/** Inside the repository, so that `eventplane` is this package and its dependencies are there. */
const folder = join(repository, ".cache", `docs-run-${process.pid}`);

beforeAll(async () => {
  buildCommand();
  await mkdir(folder, { recursive: true });
}, 90_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function blocksOf(page: string): Promise<readonly string[]> {
  const text = await readFile(join(repository, page), "utf8");
  return [...text.matchAll(/^```ts check\n([\s\S]*?)^```$/gmu)].map(([, block = ""]) => block);
}

async function runAsTest(name: string, code: string): Promise<string> {
  const file = join(folder, `${name}.test.ts`);
  await writeFile(file, code);
  const { NODE_OPTIONS: _, ...env } = process.env;
  const args = ["--import", "jiti/register", "--test", "--test-reporter=tap", file];
  const { stdout } = await run(process.execPath, args, { cwd: repository, env, timeout: 60_000 });
  return stdout;
}

describe("docs/how-to/test-your-controllers.md", () => {
  it("has code that passes under node:test", async () => {
    const blocks = await blocksOf("docs/how-to/test-your-controllers.md");
    expect(blocks.length).toBe(2);
    const said = await Promise.all(blocks.map((code, index) => runAsTest(`kit-${index}`, code)));
    for (const text of said) expect(text).toMatch(/^# fail 0$/m);
    expect(said.join()).toContain("ok 1 - an organization gets its customer, though the first call's answer is lost");
  });

  it("shows a failure as the kit prints it under node:test", async () => {
    const [block = ""] = await blocksOf("docs/how-to/test-your-controllers.md");
    const failing = block.replace("done({ members: 25 }));", "done({ members: 3 }));");
    const page = await readFile(join(repository, "docs/how-to/test-your-controllers.md"), "utf8");
    const shown = /^Controller quota on .* decided otherwise\.\n.*\n.*$/m.exec(page)?.[0] ?? "no such lines";
    const failure = await runAsTest("failing", failing).then(
      () => "it passed",
      (error: unknown) => (error as { readonly stdout: string }).stdout, // execFile's error has it
    );
    for (const line of shown.split("\n")) expect(failure).toContain(line.trim());
  });
});
