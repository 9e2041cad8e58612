/**
 * The bus with everything on beside what a program would write without it (PARITY D1, D2, D7). The floors are those that a loss of half of the speed falls through on
 * a busy machine; the goals against known libraries are measured by `npm run bench`.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { repository } from "./support/embedded-fixture.js";
import { buildCommand } from "./support/evtctl-process.js";

const run = promisify(execFile);
let ratios: Readonly<Record<string, number>>;

beforeAll(async () => {
  buildCommand();
  // It fails when a handler was not called with every payload.
  const program = join(repository, "test/support/bus-speed.mjs");
  const { stdout } = await run(process.execPath, [program], { cwd: repository, timeout: 60_000 });
  ratios = JSON.parse(stdout) as typeof ratios; // of that program
}, 150_000);

test.each([
  ["publish to 1", 0.5],
  ["publish to 10", 0.4],
  ["publish to 100", 0.15],
])("%s handlers, with a schema, limits and breakers, is at least %d × an emitter with Ajv and try", (name, atLeast) => {
  expect(ratios[name]).toBeGreaterThan(atLeast);
});

test("a time-out and a breaker around each call cost less than a timer, a signal and a count written by hand", () => {
  expect(ratios["call within bounds"]).toBeGreaterThan(1);
});
