import { describe, expect, test } from "vitest";
import { SseParser } from "./sse-parser.js";

const stream =
  'id: 1\nevent: intent\ndata: {"a":1}\n\n: heartbeat\n\nid: 2\r\nevent: fact\r\ndata: {"b":\r\ndata: 2}\r\n\r\nevent: end\ndata: x\n\n';
const messages = [
  { id: "1", event: "intent", data: '{"a":1}' },
  { id: "2", event: "fact", data: '{"b":\n2}' },
  { id: "2", event: "end", data: "x" },
];

describe("an event stream", () => {
  test("gives the same messages however it is cut", () => {
    for (let size = 1; size <= stream.length; size++) {
      const parser = new SseParser();
      const seen = [];
      for (let at = 0; at < stream.length; at += size) seen.push(...parser.push(stream.slice(at, at + size)));
      expect(seen).toEqual(messages);
    }
  });

  test("gives nothing for a message that is not finished", () => {
    expect(new SseParser().push("id: 1\ndata: x\n")).toEqual([]);
  });

  test("is given up when a line never ends", () => {
    const parser = new SseParser();
    const chunk = "x".repeat(9_000_000);
    parser.push(chunk);
    expect(() => parser.push(chunk)).toThrow(RangeError);
  });
});
