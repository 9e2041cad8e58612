import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { VirtualClock } from "../testing/index.js";
import { EventBus, type HandlerContext } from "./index.js";

const fail = (): never => {
  throw new Error("no");
};

/** Publishes one event to a handler that never ends, and lets its time run out. */
async function timeOut(handler: (context: HandlerContext) => void): Promise<EventBus> {
  const clock = new VirtualClock();
  const bus = new EventBus({ unknownTopics: "allow", clock });
  const never = (_event: unknown, context: HandlerContext): Promise<never> => {
    handler(context);
    return new Promise(() => undefined);
  };
  bus.on("a", never, { timeoutMs: 100 });
  void bus.publish("a", 1);
  await clock.advance(1_000);
  return bus;
}

test("a listener of the handler's signal that throws or rejects is counted, and ends neither the process nor the others", async () => {
  const seen: unknown[] = [];
  const bus = await timeOut(({ signal }) => {
    signal.addEventListener("abort", fail);
    // oxlint-disable-next-line typescript/no-misused-promises -- that is what is tested
    signal.addEventListener("abort", async () => fail());
    signal.addEventListener("abort", { handleEvent: fail });
    signal.onabort = fail;
    signal.addEventListener("abort", function (this: AbortSignal, event) {
      seen.push(this === signal, event.type, event.target === signal);
    });
  });
  await sleep(0);
  expect(seen).toEqual([true, "abort", true]);
  expect(bus.statistics()).toMatchObject({ callbacksFailed: 4, deadLetters: { kept: 1 } });
});

test("listeners of the handler's signal are added, replaced and removed as those of any signal", async () => {
  const seen: string[] = [];
  const bus = await timeOut(({ signal }) => {
    const first = (): void => void seen.push("first");
    const twice = (): void => void seen.push("twice");
    signal.addEventListener("abort", first);
    signal.removeEventListener("abort", first);
    for (let time = 0; time < 2; time++) signal.addEventListener("abort", twice, { once: true });
    signal.onabort = fail;
    signal.onabort = () => void seen.push("own");
    expect(signal.onabort).toBeTypeOf("function");
    expect(AbortSignal.any([signal]).aborted).toBe(false);
  });
  expect(seen).toEqual(["twice", "own"]);
  expect(bus.statistics().callbacksFailed).toBe(0);
});
