/** Keyed execution. */
import { expect, test } from "vitest";
import { Lanes } from "./lanes.js";

/** Lanes whose tasks end when the test says so. */
function gated() {
  const log: string[] = [];
  const gates = new Map<string, () => void>();
  const lanes = new Lanes<string>(async (first, next) => {
    for (let task: string | undefined = first; task !== undefined; task = next()) {
      log.push(`begin ${task}`);
      const name = task;
      await new Promise<void>((resolve) => gates.set(name, resolve));
      log.push(`end ${task}`);
    }
  });
  const end = async (task: string): Promise<void> => {
    gates.get(task)?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { log, lanes, end };
}

test("tasks of one key run one after another, of different keys at once", async () => {
  const { log, lanes, end } = gated();
  lanes.add("a", "a1");
  lanes.add("a", "a2");
  lanes.add("b", "b1");
  expect(log).toEqual(["begin a1", "begin b1"]);
  await end("a1");
  expect(log).toEqual(["begin a1", "begin b1", "end a1", "begin a2"]);
  await end("a2");
  await end("b1");
  await lanes.idle();
  lanes.add("a", "a3");
  expect(log.at(-1)).toBe("begin a3");
  await end("a3");
});

test("tasks that have not begun can be taken back", async () => {
  const { log, lanes, end } = gated();
  for (const task of ["a1", "a2", "a3"]) lanes.add("a", task);
  expect(lanes.takeWaiting()).toEqual(["a2", "a3"]);
  await end("a1");
  await lanes.idle();
  expect(log).toEqual(["begin a1", "end a1"]);
});
