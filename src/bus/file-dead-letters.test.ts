import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
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

test("a disk that does not keep up costs a bounded number of lines, and no letter that is kept", async () => {
  const path = join(folder, "burst.ndjson");
  const store = await FileDeadLetters.open(path, { lettersMax: 100 });
  const payload = "x".repeat(4_096);
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < 30_000; n++) store.add({ ...letter, event: { ...letter.event, payload } });
  collect();
  // All of the lines would be 120 MB.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(40_000_000);
  await store.flush();
  for (let n = 0; n < 3_000; n++) store.add(letter);
  await store.close();
  const again = await FileDeadLetters.open(path, { lettersMax: 100 });
  expect([...again.all()].map(({ number }) => number)).toEqual(Array.from({ length: 100 }, (_, n) => 32_901 + n));
  await again.close();
});

test.each(['{"last":-1}', '{"last":"7"}', '{"last":null}', '{"last":1e300}'])("%s is no line of it", async (line) => {
  const path = join(folder, "forged.ndjson");
  await writeFile(path, `${line}\n`, { mode: 0o600 });
  await expect(FileDeadLetters.open(path)).rejects.toSatisfy((error) => isEventplaneError(error, "config_invalid"));
});
