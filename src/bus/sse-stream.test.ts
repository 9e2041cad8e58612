import { createServer } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import { EventBus, sse, sseHeaders } from "./index.js";

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

let clock: VirtualClock;
let bus: EventBus;
beforeEach(() => {
  clock = new VirtualClock();
  bus = new EventBus({ unknownTopics: "allow", clock, historyMax: 5 });
});

/** The messages of whole frames, as a browser reads them (WHATWG HTML §9.2.6): a line ends with CR, LF or CRLF. */
function messagesOf(text: string): unknown[] {
  const messages: unknown[] = [];
  let members: Record<string, string> = {};
  for (const line of text.split(/\r\n|\r|\n/).slice(0, -1)) {
    const [, name = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (line === "") {
      if (members["data"] !== undefined)
        messages.push([members["event"], members["id"], payloadOf(JSON.parse(members["data"]))]);
      members = {};
    } else if (name !== "") {
      members[name] = name in members ? `${members[name]}\n${value}` : value;
    }
  }
  return messages;
}

/** What a client reads of the next `count` frames. */
async function read(frames: AsyncIterator<string>, count: number): Promise<unknown[]> {
  let text = "";
  for (let n = 0; n < count; n++) text += String((await frames.next()).value);
  return messagesOf(text);
}
const payloadOf = (data: unknown): unknown =>
  typeof data === "object" && data !== null && "payload" in data ? data.payload : data;

describe("an event stream", () => {
  test("defect C11: a frame has id, type and data, and ends with a blank line", async () => {
    const frames = sse(bus, "ticket.*", { clock });
    void bus.publish("ticket.opened", { text: "a\nb\r\n\nc" }, { id: "t1" });
    const { value } = await frames.next();
    expect(value).toMatch(/^id: t1\nevent: ticket\.opened\ndata: \{"id":"t1",.*\}\n\n$/);
    expect(JSON.parse(/^data: (.*)$/m.exec(String(value))?.[1] ?? "")).toMatchObject({
      payload: { text: "a\nb\r\n\nc" },
    });
    await frames.return?.();
    await clock.advance(10);
    expect([bus.subscriptions(), await frames.next(), clock.sleeping]).toEqual([
      [],
      { done: true, value: undefined },
      0,
    ]);
  });

  test("ends with its subscription when what is sent of an event cannot be made", async () => {
    const data = (): never => {
      throw new Error("no data");
    };
    const frames = sse(bus, "a", { clock, data });
    const reading = (async () => {
      for await (const frame of frames) expect(frame).toBeUndefined();
    })();
    void bus.publish("a", 1);
    await expect(reading).rejects.toThrow("no data");
    expect([bus.subscriptions(), await frames.next()]).toEqual([[], { done: true, value: undefined }]);
  });

  test("lets nothing be smuggled in: neither by an id nor by a topic nor by what is sent", async () => {
    for (const id of ["1\n\ndata: x", "1\rid: 2"])
      expect(() => bus.publish("a", 1, { id })).toThrow(coded("request_invalid"));
    expect(() => bus.publish("a\nevent: b", 1)).toThrow(coded("request_invalid"));
    const frames = sse(bus, "**", { clock, data: ({ payload }) => String(payload) });
    void bus.publish("a", "x\n\nevent: forged\ndata: y\r\r");
    expect(await read(frames, 1)).toEqual([["a", expect.any(String), "x\n\nevent: forged\ndata: y\r\r"]]);
    await frames.return?.();
  });

  test("defect C11: resumes after Last-Event-ID from the history, without a gap and nothing twice", async () => {
    for (let n = 1; n <= 4; n++) void bus.publish(n === 3 ? "other" : "a", n, { id: `e${n}` });
    const frames = sse(bus, "a", { lastEventId: "e1", clock });
    void bus.publish("a", 5, { id: "e5" });
    expect(await read(frames, 3)).toEqual([
      ["a", "e2", 2],
      ["a", "e4", 4],
      ["a", "e5", 5],
    ]);
    await frames.return?.();
  });

  test("says that there is a gap when what it is to resume after is too old, and goes on with what is left", async () => {
    for (let n = 1; n <= 8; n++) void bus.publish("a", n, { id: `e${n}` });
    const frames = sse(bus, "a", { lastEventId: "e2\r\nforged: x", clock, retryMs: 2_000 });
    const first = await frames.next();
    expect(first.value).toBe("retry: 2000\n\n");
    expect(await read(frames, 3)).toEqual([
      ["$gap", undefined, { reason: "history" }],
      ["a", "e4", 4],
      ["a", "e5", 5],
    ]);
    await frames.return?.();
  });

  test("gives of the past only what patterns, filter and permit let through at that moment", async () => {
    let permitted = ["a.*", "b.*"];
    const failed: unknown[] = [];
    bus = new EventBus({
      unknownTopics: "allow",
      clock,
      authorizeSubscribe: () => permitted,
      onFailure: ({ event, attempts }) => void failed.push([event.payload, attempts]),
    });
    for (const [topic, n] of [
      ["a.x", 0],
      ["a.x", 1],
      ["c.x", 2],
      ["a.x", 3],
      ["b.x", 4],
      ["a.x", 5],
      ["a.x", 6],
    ] as const)
      void bus.publish(topic, n, { id: `e${n}` });
    const filter = ({ payload }: { readonly payload: unknown }): boolean => {
      if (payload === 3) throw new Error("no");
      return payload !== 5;
    };
    const frames = sse(bus, "**", { lastEventId: "e0", filter, clock });
    expect(await read(frames, 1)).toEqual([["a.x", "e1", 1]]);
    permitted = ["a.*"];
    bus.reauthorize();
    expect(await read(frames, 1)).toEqual([["a.x", "e6", 6]]);
    expect(failed).toEqual([[3, 0]]);
    await frames.return?.();
  });

  test("lets nothing of the past through a filter that answers later, as nothing of what comes", async () => {
    const later = (() => Promise.resolve(true)) as unknown as () => boolean;
    for (const id of ["e0", "e1"]) void bus.publish("a", 1, { id });
    const stream = bus.stream("a", { afterId: "e0", filter: later });
    const asked = stream.next();
    void bus.publish("a", 1, { id: "e2" });
    const letters = bus.deadLetters.list().map(({ event, error }) => [event.id, error.code]);
    expect(letters).toEqual([
      ["e1", "config_invalid"],
      ["e2", "config_invalid"],
    ]);
    await stream.return?.();
    expect(await asked).toMatchObject({ done: true });
  });

  test("defect C11: of a client that is too slow holds up nobody, is bounded, and says that there is a gap", async () => {
    const frames = sse(bus, "a", { queueMax: 3, clock });
    void bus.publish("a", 0);
    expect(await read(frames, 1)).toHaveLength(1);
    for (let n = 1; n <= 100; n++) expect(bus.publish("a", n)).toEqual(expect.any(String));
    expect(bus.subscriptions()[0]?.status().depth).toBeLessThanOrEqual(3);
    const messages = (await read(frames, 3)) as [string, unknown, unknown][];
    expect(messages.map(([event]) => event)).toContain("$gap");
    expect(messages.at(-1)?.[2]).toBe(100);
    await frames.return?.();
  });

  test("sends a comment when it is idle, and none while it is not", async () => {
    const frames = sse(bus, "a", { heartbeatMs: 1_000, clock });
    const said: unknown[] = [];
    const reading = (async () => {
      for await (const frame of frames) said.push(frame.startsWith(":") ? frame : "event");
    })();
    for (let n = 0; n < 5; n++) {
      await clock.advance(400);
      void bus.publish("a", n);
    }
    await clock.advance(400);
    expect(said).toEqual(Array(5).fill("event"));
    await clock.advance(3_000);
    // The event at 2,000 ms is in the first of the three seconds.
    expect(said.slice(5)).toEqual(Array(2).fill(": heartbeat\n\n"));
    await bus.close();
    await reading;
    await clock.advance(10);
    expect(clock.sleeping).toBe(0);
  });

  test("whose signal has aborted before is over at once", async () => {
    void bus.publish("a", 1);
    const frames = sse(bus, "a", { clock, signal: AbortSignal.abort(), lastEventId: "e0" });
    expect(await read(frames, 1)).toEqual([["$gap", undefined, { reason: "history" }]]);
    expect([await frames.next(), bus.subscriptions()]).toEqual([{ done: true, value: undefined }, []]);
  });

  test("refuses times that are none", () => {
    expect(() => sse(bus, "a", { heartbeatMs: 0 })).toThrow(coded("config_invalid"));
    expect(() => sse(bus, "a", { retryMs: Number.NaN })).toThrow(coded("config_invalid"));
    expect(bus.subscriptions()).toEqual([]);
  });

  test("is a response of node:http, with back-pressure, and ends when the client leaves", async () => {
    const server = createServer((request, response) => {
      response.writeHead(200, sseHeaders);
      const lastEventId = request.headers["last-event-id"]?.toString();
      pipeline(Readable.from(sse(bus, "a", { lastEventId })), response).catch(() => undefined);
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    void bus.publish("a", 1, { id: "e1" });
    const client = new AbortController();
    const response = await fetch(`http://127.0.0.1:${port}/`, {
      headers: { "last-event-id": "e0" },
      signal: client.signal,
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("id: e1")) text += (await reader?.read())?.value ?? "";
    expect(text).toContain("event: $gap\n");
    client.abort();
    for (let n = 0; n < 200 && bus.subscriptions().length > 0; n++)
      await new Promise((resolve) => void setTimeout(resolve, 10));
    expect(bus.subscriptions()).toEqual([]);
    await new Promise((resolve) => server.close(resolve));
  });

  test("gives a client that comes and goes each event once and in order, or says that there is a gap", async () => {
    const step = fc.oneof(
      fc.record({ publish: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ read: fc.integer({ min: 1, max: 4 }) }),
      fc.constant({ leave: true }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const other = new EventBus({ unknownTopics: "allow", clock, historyMax: 8 });
        let last: string | undefined;
        let published = 0;
        let next = 1;
        let waiting = 0;
        let frames = sse(other, "a", { clock, queueMax: 4 });
        for (const one of steps) {
          if ("publish" in one) {
            for (let n = 0; n < one.publish; n++) void other.publish("a", ++published, { id: `e${published}` });
            waiting += one.publish;
          } else if ("leave" in one) {
            await frames.return?.();
            frames = sse(other, "a", { clock, queueMax: 4, lastEventId: last ?? "none" });
            waiting = Math.min(published - next + 1, 8);
          } else {
            for (let n = 0; n < one.read && waiting > 0; ) {
              const messages = messagesOf(String((await frames.next()).value)) as [string, string, number][];
              for (const [event, id, payload] of messages) {
                if (event === "$gap") {
                  next = 0;
                  continue;
                }
                if (next > 0) expect(payload).toBe(next);
                else expect(payload).toBeGreaterThan(last === undefined ? 0 : Number(last.slice(1)));
                waiting = Math.min(waiting, published - payload);
                next = payload + 1;
                last = id;
                n++;
              }
            }
          }
        }
        await frames.return?.();
      }),
      { numRuns: 100 },
    );
  });
});
