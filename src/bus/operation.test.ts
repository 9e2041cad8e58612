import { beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import {
  EventBus,
  type OperationEnded,
  operationTopics,
  prometheusText,
  type Topic,
  topic,
  type Unpublished,
} from "./index.js";

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

const topics = { ...operationTopics("import"), ...operationTopics("ticket.merge"), row: topic<number>() };
type PayloadOf<Of> = Of extends { readonly [Name in keyof Of]: unknown }
  ? { [Name in keyof Of]: Of[Name] extends Topic<infer Payload> ? Payload : never }
  : never;

let clock: VirtualClock;
let unpublished: Unpublished[];
const openBus = (rateLimit?: { perSecond: number; burst: number }): EventBus<PayloadOf<typeof topics>> =>
  new EventBus<PayloadOf<typeof topics>>({
    topics,
    clock,
    correlation: true,
    onUnpublished: (told) => void unpublished.push(told),
    ...(rateLimit === undefined ? {} : { rateLimit }),
  });
let bus: EventBus<PayloadOf<typeof topics>>;
beforeEach(() => {
  clock = new VirtualClock();
  unpublished = [];
  bus = openBus();
});
const told = (): unknown[] => bus.history().map(({ topic: name, payload }) => [name, payload]);

describe("an operation", () => {
  test("tells that it started, got further and ended, with durations, in one correlation", async () => {
    const work = bus.operation(
      "import",
      async (operation) => {
        await clock.sleep(100);
        void operation.update({ rows: 10 });
        void bus.publish("row", 1);
        await clock.sleep(50);
        return "result";
      },
      { detail: { file: "a.csv" }, metadata: { by: "Ada" } },
    );
    await clock.advance(200);
    expect(await work).toBe("result");
    const [first] = bus.history();
    const id = first?.id ?? "";
    expect(told()).toEqual([
      ["import.started", { operationId: id, detail: { file: "a.csv" } }],
      ["import.updated", { operationId: id, elapsedMs: 100, detail: { rows: 10 } }],
      ["row", 1],
      ["import.ended", { operationId: id, durationMs: 150, outcome: "done", detail: {} }],
    ]);
    expect(bus.history().map(({ correlationId, causationId }) => [correlationId, causationId])).toEqual([
      [id, undefined],
      [id, id],
      [id, id],
      [id, id],
    ]);
    expect(bus.history({ topic: "import.*" }).map(({ metadata }) => metadata)).toEqual(Array(3).fill({ by: "Ada" }));
    expect(bus.statistics().operations).toEqual({ open: 0, done: 1, failed: 0, abandoned: 0 });
  });

  test("that throws or rejects has failed, with what may be told of the error, and throws it on", async () => {
    const wrong = Object.assign(new Error("password=hunter2 \u001b[31m"), { code: "E_ROW" });
    for (const work of [
      () => Promise.reject(wrong),
      () => {
        throw wrong;
      },
    ])
      await expect(bus.operation("import", work)).rejects.toBe(wrong);
    const ends = bus.history({ topic: "import.ended" }).map(({ payload }) => payload as OperationEnded);
    expect(ends).toHaveLength(2);
    for (const { outcome, error } of ends) {
      expect([outcome, error?.name, error?.code]).toEqual(["failed", "Error", "E_ROW"]);
      expect(error?.message).not.toMatch(/hunter2|\u001b/);
    }
    expect(bus.statistics().operations).toMatchObject({ open: 0, failed: 2 });
  });

  test("belongs to the scope in which it starts, and follows from the event that a handler works on", async () => {
    bus.on("row", () =>
      bus.operation(
        "import",
        () => void bus.publish("ticket.merge.updated", { operationId: "x", detail: {}, elapsedMs: 1 }),
      ),
    );
    await bus.publishAndSettle("row", 1, { id: "row-1", correlationId: "c" });
    const [, start, inside, end] = bus.history();
    expect([start, inside, end].map((event) => [event?.correlationId, event?.causationId])).toEqual([
      ["c", "row-1"],
      ["c", start?.id],
      ["c", start?.id],
    ]);
  });

  test("defect C6: concurrent operations keep their own ids and durations", async () => {
    const works = Array.from({ length: 10 }, (_, n) =>
      bus.operation("import", async () => {
        await clock.sleep(10 * (n + 1));
        void bus.publish("row", n);
      }),
    );
    await clock.advance(200);
    await Promise.all(works);
    for (let n = 0; n < 10; n++) {
      const row = bus.history({ topic: "row" }).find(({ payload }) => payload === n);
      const end = bus
        .history({ topic: "import.ended" })
        .find(({ correlationId }) => correlationId === row?.correlationId);
      expect(end?.payload).toMatchObject({ durationMs: 10 * (n + 1) });
    }
  });

  test("that is declared with using cannot be left open: it ends as abandoned, or as was said", async () => {
    const left = bus.startOperation("import", { detail: { n: 1 } });
    const ended = bus.startOperation("import", { detail: { n: 2 } });
    void ended.end({ rows: 7 });
    const failed = bus.startOperation("import", { detail: { n: 3 } });
    void failed.fail(undefined);
    expect(left.run(() => bus.currentScope())).toEqual({ correlationId: left.id, causationId: left.id });
    expect(bus.statistics().operations.open).toBe(1);
    // What leaving the block of a declaration with `using` does.
    for (const operation of [failed, ended, left]) operation[Symbol.dispose]();
    expect(bus.history({ topic: "import.ended" }).map(({ payload }) => payload)).toMatchObject([
      { outcome: "done", detail: { rows: 7 } },
      { outcome: "failed", error: { name: "NotAnError" } },
      { outcome: "abandoned" },
    ]);
    expect(bus.statistics().operations).toEqual({ open: 0, done: 1, failed: 1, abandoned: 1 });
    bus.startOperation("import");
    expect(prometheusText([bus.statistics()])).toContain('eventplane_bus_operations_open{context="default"} 1\n');
  });

  test("has ended once", () => {
    const operation = bus.startOperation("import");
    void operation.end();
    for (const again of [() => operation.end(), () => operation.fail(1), () => operation.update({})])
      expect(again).toThrow(coded("request_invalid"));
    operation[Symbol.dispose]();
    expect(bus.history({ topic: "import.ended" })).toHaveLength(1);
  });

  test("that may not start is not begun; an end that is refused is told, and does not undo the work", async () => {
    bus = openBus({ perSecond: 1, burst: 1 });
    expect(await bus.operation("import", () => "done")).toBe("done");
    expect(unpublished).toEqual([
      { id: bus.history()[0]?.id, topic: "import.ended", context: "default", error: coded("rate_limited") },
    ]);
    let isCalled = false;
    const refused = bus.operation("import", () => {
      isCalled = true;
    });
    await expect(refused).rejects.toThrow(coded("rate_limited"));
    expect([isCalled, bus.statistics().operations.open, bus.statistics().unpublished]).toEqual([false, 0, 1]);
  });

  test("of an emitter has its defaults", async () => {
    await bus.emitter({ metadata: { team: "billing" }, correlationId: "c" }).operation("ticket.merge", () => 1);
    expect(bus.history().map(({ topic: name, correlationId, metadata }) => [name, correlationId, metadata])).toEqual([
      ["ticket.merge.started", "c", { team: "billing" }],
      ["ticket.merge.ended", "c", { team: "billing" }],
    ]);
  });

  test("works on a bus that keeps no correlation", async () => {
    const plain = new EventBus({ unknownTopics: "allow", clock });
    await plain.operation("anything", () => void plain.publish("row", 1));
    expect(plain.history().map(({ topic: name, correlationId }) => [name, correlationId !== undefined])).toEqual([
      ["anything.started", true],
      ["row", false],
      ["anything.ended", true],
    ]);
  });

  test("is one whose topics the bus has", () => {
    type Names = Parameters<typeof bus.operation>[0];
    expectTypeOf<Names>().toEqualTypeOf<"import" | "ticket.merge">();
    bus.on("*.ended", ({ payload }) => expectTypeOf(payload).toEqualTypeOf<OperationEnded>());
    const wrong = { operationId: "x", detail: {}, durationMs: -1, outcome: "done" } as const;
    expect(() => bus.publish("import.ended", wrong)).toThrow(coded("schema_violation"));
  });
});
