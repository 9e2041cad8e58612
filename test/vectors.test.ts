import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeVectors } from "./support/vectors.js";

const published = fileURLToPath(new URL("../docs/reference/vectors.json", import.meta.url));
const script = fileURLToPath(new URL("../scripts/verify-vectors.py", import.meta.url));
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "vectors-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

function verifyInPython(path: string): { readonly status: number | null; readonly stdout: string } {
  const { status, stdout, error } = spawnSync("python3", [script, path], { encoding: "utf8", timeout: 60_000 });
  if (error !== undefined) throw error;
  return { status, stdout };
}

describe("published vectors", () => {
  test("are what this code computes", async () => {
    expect(JSON.parse(await readFile(published, "utf8"))).toEqual(JSON.parse(JSON.stringify(makeVectors())));
  });

  test("agree with the second implementation, in Python", () => {
    const { status, stdout } = verifyInPython(published);
    expect(stdout).toMatch(/^(\d+) of \1 vectors agree$/m);
    expect(status).toBe(0);
  });

  test.each([
    ["a changed spec", /"specText": "\{\}"/, '"specText": "{ }"', "differs: events[1].content"],
    ["a changed hash", /("hash": ")[0-9a-f]{4}/, "$10000", "differs: genesis of epoch 1"],
    ["a changed signature", /("rootSignature": ")[^"]{6}/, "$1AAAAAA", "differs: introductions[0] is signed"],
    ["a changed id", /("component": "quota",\s+"basisVersion": 1,\s+"step": )0/, "$11", "differs: derivedIds[0]"],
    ["a changed path", /("root": ")[0-9a-f]{4}/, "$10000", "differs: merkle of 1, path 0"],
  ])("%s is found by the second implementation", async (_, place, change, found) => {
    const text = await readFile(published, "utf8");
    const path = join(directory, "planted.json");
    const planted = text.replace(place, change);
    expect(planted).not.toBe(text);
    await writeFile(path, planted);
    const { status, stdout } = verifyInPython(path);
    expect(stdout).toContain(found);
    expect(status).toBe(1);
  });
});
