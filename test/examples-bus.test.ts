/** examples/bus as a reader runs it, and that it says so when the bus does not do its work. */
import { spawn } from "node:child_process";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { repository } from "./support/embedded-fixture.js";
import { buildCommand } from "./support/evtctl-process.js";

const example = join(repository, "examples/bus");
/** Inside the repository, so that `eventplane` is this package. */
const copy = join(repository, ".cache", `examples-bus-${process.pid}`);
const checks = ["teams", "urgent", "e-mail", "scanner", "flood", "intruder", "log"];

beforeAll(() => buildCommand(), 90_000);
afterAll(() => rm(copy, { recursive: true, force: true }));

async function run(folder: string): Promise<{ readonly status: number | null; readonly said: string }> {
  const { PATH = "", HOME = "" } = process.env;
  const jiti = join(repository, "node_modules/jiti/lib/jiti-cli.mjs"); // what npx jiti runs
  const child = spawn(process.execPath, [jiti, join(folder, "support-desk.ts")], { env: { PATH, HOME } });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  const status = await new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { status, said };
}

const marksOf = (said: string): Record<string, string> =>
  Object.fromEntries([...said.matchAll(/^([✓✗]) (\S+)/gmu)].map(([, mark = "", name = ""]) => [name, mark]));

describe("examples/bus", () => {
  test("shows what the bus does about slow, flooding and intruding parties, as its README says", async () => {
    const { status, said } = await run(example);
    expect(said).not.toContain("✗");
    expect([status, Object.keys(marksOf(said))]).toEqual([0, checks]);
    const readme = await readFile(join(example, "README.md"), "utf8");
    const withoutNumbers = (text: string): string[] =>
      text
        .split("\n")
        .filter((line) => line.startsWith("✓"))
        .map((line) => line.replaceAll(/\d+/g, "N"));
    expect(withoutNumbers(said)).toEqual(withoutNumbers(readme));
  }, 60_000);

  test.each([
    ["log", "desk.ts", ', "x-eventplane-personal": true', ""],
    ["teams", "desk.ts", "[`ticket.${principal}`]", "true"],
    ["flood", "support-desk.ts", "perSecond: 20, burst: 20", "perSecond: 1_000_000"],
    ["e-mail", "support-desk.ts", "  breaker: { failures: 5, openMs: 1_000 },\n", ""],
  ])(
    "says ✗ at %s, and fails, without what %s does about it",
    async (name, file, text, instead) => {
      await rm(copy, { recursive: true, force: true });
      await cp(example, copy, { recursive: true });
      const source = await readFile(join(copy, file), "utf8");
      expect(source).toContain(text);
      await writeFile(join(copy, file), source.replace(text, instead));
      const { status, said } = await run(copy);
      expect([status, marksOf(said)[name]]).toEqual([1, "✗"]);
    },
    60_000,
  );
});
