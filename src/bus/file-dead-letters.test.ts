import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { FileDeadLetters } from "./index.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "eventplane-letters-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const letter = {
  subscription: "s",
  event: {
    id: "i",
    topic: "a",
    payload: 1,
    schemaVersion: 1,
    priority: "normal",
    context: "default",
    atMs: 1,
    metadata: {},
  },
  attempts: 1,
  error: { name: "Error", message: "no" },
  failedAtMs: 1,
} as const;

/** More than the lines that may tell of letters which are gone. */
const letters = 1_100;

test("a number is given out once, also after the file was emptied, written anew and opened again", async () => {
  const path = join(folder, "numbers.ndjson");
  const store = await FileDeadLetters.open(path);
  for (let n = 0; n < letters; n++) store.remove(store.add(letter).number);
  await store.flush();
  store.remove(store.add(letter).number);
  expect(store.size).toBe(0);
  await store.close();
  const again = await FileDeadLetters.open(path);
  expect([again.size, again.add(letter).number]).toEqual([0, letters + 2]);
  await again.close();
});

test.each(['{"last":-1}', '{"last":"7"}', '{"last":null}', '{"last":1e300}'])("%s is no line of it", async (line) => {
  const path = join(folder, "forged.ndjson");
  await writeFile(path, `${line}\n`, { mode: 0o600 });
  await expect(FileDeadLetters.open(path)).rejects.toSatisfy((error) => isEventplaneError(error, "config_invalid"));
});
