import { expect, test } from "vitest";
import { VirtualClock } from "../testing/index.js";
import { EventBus } from "./index.js";

test("calls run out of time each at its own, also when others begin in the slots of those before", async () => {
  const clock = new VirtualClock();
  const bus = new EventBus({ unknownTopics: "allow", clock });
  const took: [unknown, number][] = [];
  const hang = ({ payload }: { payload: unknown }, { signal }: { signal: AbortSignal }): Promise<void> => {
    const beganAtMs = clock.monotonicMs();
    signal.addEventListener("abort", () => took.push([payload, clock.monotonicMs() - beganAtMs]));
    return new Promise(() => undefined);
  };
  bus.on("a", hang, { concurrency: 2, timeoutMs: 1_000 });
  void bus.publish("a", 0);
  await clock.advance(500);
  for (const n of [1, 2, 3]) void bus.publish("a", n);
  await clock.advance(5_000);
  expect(took.map(([payload]) => payload)).toEqual([0, 1, 2, 3]);
  for (const [, ms] of took) expect([ms >= 1_000, ms <= 1_030]).toEqual([true, true]);
});
