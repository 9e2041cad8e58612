/** What becomes of calls when the process that makes them stops. */
import { describe, expect, test } from "vitest";
import { createWorkerBench, scriptedRun, type TestRun, testCustomer } from "../testing/index.js";

const ok: TestRun = ({ input }) => ({ id: `cus_${input.name}` });
const hang: TestRun = () => new Promise(() => undefined);

describe("a process that stops", () => {
  /** Its workers run, are stopped in a call, and have waited as long as they wait. */
  async function stopped(run: TestRun) {
    const { calls, run: counted } = scriptedRun(run, ok);
    const worker = testCustomer(counted, { retry: { attempts: 1 }, timeoutMs: 60_000 });
    const bench = createWorkerBench(worker, { stopGraceMs: 1_000 });
    await bench.publish("create", "acme", { name: "Acme" });
    await bench.runtime.settle();
    const stop = new AbortController();
    const running = bench.workers.run(stop.signal);
    await bench.clock.advance(300);
    stop.abort();
    for (let step = 0; step < 15; step++) await bench.clock.advance(100);
    await running;
    return { bench, calls, worker };
  }

  test("leaves its call to another one, which makes it again, and no attempt is lost", async () => {
    const { bench, calls, worker } = await stopped(hang);
    expect(calls).toHaveLength(1);
    expect(await bench.work.deadLetters(bench.tenantId)).toEqual([]);
    await bench.workersOf([worker.definition]).settle();
    await bench.runtime.settle();
    expect(calls).toHaveLength(2);
    expect(calls[1]?.idempotencyKey).toBe(calls[0]?.idempotencyKey);
    expect((await bench.resource("acme")).phase).toBe("Ready");
  });

  test("takes the answer of a call that was told to end and still brings one", async () => {
    const late: TestRun = ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => setImmediate(() => resolve({ id: "late" })));
      });
    const { bench, calls } = await stopped(late);
    await bench.runtime.settle();
    expect(calls).toHaveLength(1);
    expect((await bench.resource("acme")).status).toMatchObject({ billing: { customer: { id: "late" } } });
  });
});
