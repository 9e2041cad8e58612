/** What /readyz says of work that waits for somebody. */
import { expect, test } from "vitest";
import { createMetrics } from "../observe/index.js";
import { createTestApp, RuntimeBench, testDone } from "../testing/index.js";
import { StandingWatch, watchBacklog } from "./watch-backlog.js";

test("what waits for a controller that nobody runs is named after a minute, until somebody retires it", async () => {
  const bench = new RuntimeBench({ legacy: () => ({ outcome: "progressing" }), quota: () => testDone() });
  const { work, clock, tenantId } = bench;
  const without = createTestApp({ quota: () => testDone() });
  await bench.publish("create", "acme");
  await work.dispatch([{ aggregateType: "organization", component: "quota" }], tenantId);
  const standing = new StandingWatch();
  const stop = new AbortController();
  const watching = watchBacklog({ work, app: without, metrics: createMetrics(), clock, standing }, stop.signal);
  const after = async (seconds: number): Promise<readonly string[]> => {
    for (let passed = 0; passed < seconds; passed += 5) await clock.advance(5_000);
    return standing.degraded;
  };
  expect(await after(30)).toEqual([]);
  expect(await after(40)).toEqual(["waiting_for_unknown_controller_legacy: 1"]);
  await work.forget({ tenantId, aggregateType: "organization", aggregateId: "acme", component: "legacy" });
  expect(await after(10)).toEqual([]);
  stop.abort();
  await watching;
});
