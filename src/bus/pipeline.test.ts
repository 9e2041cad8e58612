import fc from "fast-check";
import { beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import { EventBus, type Pipeline, type PipelineFailure, pipeline } from "./index.js";

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

let clock: VirtualClock;
let bus: EventBus<Record<string, number>>;
let failures: PipelineFailure[];
let sunk: unknown[];
const onError = (failure: PipelineFailure): void => void failures.push(failure);
const take = (item: unknown): void => void sunk.push(item);
/** Payloads of the topic `n`. */
const numbers = (): Pipeline<number> => pipeline(bus.stream("n"), { clock }).map(({ payload }) => payload);
beforeEach(() => {
  clock = new VirtualClock();
  bus = new EventBus<Record<string, number>>({ unknownTopics: "allow", clock });
  failures = [];
  sunk = [];
});
const publish = (...list: readonly number[]): void => {
  for (const n of list) void bus.publish("n", n);
};
async function* counting(to: number): AsyncGenerator<number> {
  for (let n = 1; n <= to; n++) yield n;
}

describe("a pipeline", () => {
  test("maps, filters and sinks one item after the other, asynchronous stages too", async () => {
    const work = pipeline(counting(6))
      .filter(async (n) => n % 2 === 0)
      .map(async (n) => `item ${n}`);
    expectTypeOf(work).toEqualTypeOf<Pipeline<string>>();
    const running = work.sink(take, { onError });
    expect(await running.ended).toEqual({ outcome: "ended" });
    expect([sunk, running.status()]).toEqual([
      ["item 2", "item 4", "item 6"],
      { taken: 6, filtered: 3, failed: 0, done: 3 },
    ]);
  });

  test("defect C11: a stage that throws tells of it, and later items and stages go on", async () => {
    const running = numbers()
      .filter((n) => {
        if (n === 1) throw new Error("filter");
        return true;
      })
      .map((n) => {
        if (n === 2) return Promise.reject(new Error("map"));
        return n;
      })
      .sink(
        (n) => {
          if (n === 3) return Promise.reject(undefined);
          return take(n);
        },
        { onError },
      );
    publish(1, 2, 3, 4, 5);
    await clock.advance(1);
    expect(sunk).toEqual([4, 5]);
    expect(failures.map(({ stage, input, error }) => [stage, input, error instanceof Error])).toEqual([
      ["filter", 1, true],
      ["map", 2, true],
      ["sink", 3, false],
    ]);
    expect(running.status()).toEqual({ taken: 5, filtered: 0, failed: 3, done: 2 });
    expect(await running.stop()).toBe(true);
  });

  test("takes the next item when the sink is done with the last: the rest waits in the bounded queue", async () => {
    const stream = bus.stream("n", { queueMax: 10, overflow: "drop-oldest" });
    const running = pipeline(stream, { clock }).sink(() => clock.sleep(100), { onError });
    await clock.advance(0);
    publish(...Array.from({ length: 100 }, (_, n) => n));
    await clock.advance(250);
    expect(running.status().taken).toBe(3);
    expect(stream.subscription.status().depth).toBeLessThanOrEqual(10);
    expect(stream.subscription.status().dropped).toBeGreaterThan(80);
    const stopping = running.stop();
    await clock.advance(100);
    expect(await stopping).toBe(true);
    expect([running.status().done, bus.subscriptions()]).toEqual([3, []]);
  });

  test("batches by size, by time, and at the end", async () => {
    const running = numbers().batch({ size: 3, withinMs: 50 }).sink(take, { onError });
    publish(1, 2, 3, 4);
    await clock.advance(40);
    expect(sunk).toEqual([[1, 2, 3]]);
    await clock.advance(20);
    expect(sunk).toEqual([[1, 2, 3], [4]]);
    await clock.advance(500);
    publish(5);
    await clock.advance(49);
    publish(6, 7, 8, 9);
    await clock.advance(0);
    expect(sunk.slice(2)).toEqual([[5, 6, 7]]);
    const stopping = running.stop();
    await clock.advance(0);
    expect(await stopping).toBe(true);
    expect(sunk.slice(3)).toEqual([[8, 9]]);
    await clock.advance(20);
    expect([running.status().done, clock.sleeping]).toEqual([4, 0]);
  });

  test("refuses a batch without bounds", () => {
    for (const bounds of [
      { size: 0, withinMs: 1 },
      { size: 1.5, withinMs: 1 },
      { size: 1, withinMs: Number.POSITIVE_INFINITY },
    ])
      expect(() => numbers().batch(bounds)).toThrow(coded("config_invalid"));
  });

  test("stops while it waits for the next item, and ends the subscription", async () => {
    const running = numbers().sink(take, { onError });
    publish(1);
    await clock.advance(1);
    expect(await running.stop()).toBe(true);
    expect(await running.ended).toEqual({ outcome: "stopped" });
    publish(2);
    await clock.advance(1);
    expect([sunk, bus.subscriptions(), await running.stop()]).toEqual([[1], [], true]);
  });

  test("stops a source that never ends its wait; a sink that hangs costs the deadline, not more", async () => {
    const endless: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
    };
    const waiting = pipeline(endless, { clock }).sink(take, { onError });
    expect(await waiting.stop()).toBe(true);
    const hanging = pipeline(counting(9), { clock }).sink(() => new Promise(() => undefined), { onError });
    await clock.advance(1);
    const stopping = hanging.stop(200);
    await clock.advance(200);
    expect(await stopping).toBe(false);
  });

  test("ends when its source fails, or when onError says so by throwing, and the subscription with it", async () => {
    async function* broken(): AsyncGenerator<number> {
      yield 1;
      throw new Error("source");
    }
    const first = await pipeline(broken()).sink(take, { onError }).ended;
    expect(first).toMatchObject({ outcome: "failed", error: { message: "source" } });
    const giveUp = ({ error }: PipelineFailure): void => {
      throw error;
    };
    const running = numbers().sink(() => Promise.reject(new Error("sink")), { onError: giveUp });
    publish(1, 2);
    await clock.advance(1);
    expect(await running.ended).toMatchObject({ outcome: "failed", error: { message: "sink" } });
    expect([running.status().failed, bus.subscriptions(), failures]).toEqual([1, [], []]);
  });

  test("ends when onError rejects, and never rejects itself, also when its source cannot even be ended", async () => {
    let asked = 0;
    const stubborn: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.resolve(++asked > 100 ? { done: true, value: undefined } : { done: false, value: 1 }),
        return: () => {
          throw new Error("return");
        },
      }),
    };
    const giveUp = ({ error }: PipelineFailure): Promise<never> => Promise.reject(error as Error);
    for (const stage of ["map", "filter", "sink"]) {
      asked = 0;
      const failing = (name: string) => (): true => {
        if (name === stage) throw new Error(name);
        return true;
      };
      const running = pipeline(stubborn)
        .map(failing("map"))
        .filter(failing("filter"))
        .sink(failing("sink"), { onError: giveUp });
      expect(await running.ended).toMatchObject({ outcome: "failed", error: { message: stage } });
      expect(running.status()).toMatchObject({ taken: 1, failed: 1 });
    }
  });

  test("ends when its subscription does, with what was taken before", async () => {
    const running = numbers().batch({ size: 10, withinMs: 1_000 }).sink(take, { onError });
    publish(1, 2);
    await clock.advance(1);
    const closing = bus.close();
    await clock.advance(1_000);
    await closing;
    expect(await running.ended).toEqual({ outcome: "ended" });
    expect(sunk).toEqual([[1, 2]]);
  });

  test("loses nothing that it took and handles nothing twice, however it is batched, fails and is stopped", async () => {
    const step = fc.oneof(
      fc.record({ publish: fc.integer({ min: 1, max: 8 }) }),
      fc.record({ waitMs: fc.integer({ min: 0, max: 40 }) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 20 }),
        fc.record({ size: fc.integer({ min: 1, max: 5 }), withinMs: fc.integer({ min: 0, max: 30 }) }),
        fc.integer({ min: 2, max: 9 }),
        async (steps, bounds, failing) => {
          const time = new VirtualClock();
          const other = new EventBus<Record<string, number>>({ unknownTopics: "allow", clock: time });
          const handled: number[] = [];
          const failed: number[] = [];
          const running = pipeline(other.stream("n"), { clock: time })
            .map(({ payload }) => payload)
            .batch(bounds)
            .sink(
              async (batch) => {
                expect(batch.length).toBeLessThanOrEqual(bounds.size);
                await time.sleep(3);
                if (batch.some((n) => n % failing === 0)) throw new Error("batch");
                handled.push(...batch);
              },
              { onError: ({ input }) => void failed.push(...(input as number[])) },
            );
          let published = 0;
          for (const one of steps) {
            if ("waitMs" in one) await time.advance(one.waitMs);
            else for (let n = 0; n < one.publish; n++) void other.publish("n", ++published);
          }
          const stopping = running.stop();
          await time.advance(1_000);
          expect(await stopping).toBe(true);
          const { taken } = running.status();
          const all = [...handled, ...failed].sort((a, b) => a - b);
          expect(all).toEqual(Array.from({ length: taken }, (_, n) => n + 1));
          expect(taken).toBeLessThanOrEqual(published);
        },
      ),
      { numRuns: 60 },
    );
  });
});
