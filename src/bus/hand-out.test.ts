import { expect, test } from "vitest";
import { VirtualClock } from "../testing/index.js";
import { EventBus } from "./index.js";

test("a handler that publishes thousands at once gives other work its turn between them, and loses none", async () => {
  const clock = new VirtualClock();
  const bus = new EventBus({ unknownTopics: "allow", clock });
  const seen: unknown[] = [];
  bus.on("a", () => {
    for (let n = 0; n < 5_000; n++) void bus.publish("b", n);
  });
  bus.on("b", ({ payload }) => seen.push(payload));
  void bus.publish("a", {});
  expect(seen).toHaveLength(1_000);
  await clock.advance(1);
  expect(seen).toHaveLength(2_000);
  await clock.advance(10);
  expect(seen).toEqual(Array.from({ length: 5_000 }, (_, n) => n));
});
