import { expect, test } from "vitest";
import { EventBus } from "./index.js";

test("a stream that is asked several times at once answers in order, and goes on", async () => {
  const bus = new EventBus({ unknownTopics: "allow" });
  const stream = bus.stream("a");
  const asked = [stream.next(), stream.next(), stream.next()];
  for (let n = 0; n < 5; n++) void bus.publish("a", n);
  const payloads = (await Promise.all(asked)).map(({ value }) => value?.payload);
  for (const _ of [3, 4]) payloads.push((await stream.next()).value?.payload);
  expect(payloads).toEqual([0, 1, 2, 3, 4]);
  await stream.return?.();
  expect(bus.subscriptions()).toEqual([]);
});
