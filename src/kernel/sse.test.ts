import { expect, test } from "vitest";
import { isEventplaneError } from "./errors.js";
import { sseFrame, sseHeartbeat } from "./sse.js";

test("a frame has its members, each on a line, and ends with a blank line", () => {
  expect(sseFrame({ id: "7", event: "fact", data: '{"a":1}', retryMs: 2_000.9 })).toBe(
    'id: 7\nevent: fact\nretry: 2000\ndata: {"a":1}\n\n',
  );
  expect(sseFrame({ data: "" })).toBe("data: \n\n");
  expect(sseFrame({ retryMs: 5 })).toBe("retry: 5\n\n");
  expect(sseHeartbeat).toBe(": heartbeat\n\n");
});

test("data is split wherever a client ends a line: CR, LF, CRLF", () => {
  expect(sseFrame({ data: "a\nb\rc\r\nd\n\re\n" })).toBe(
    "data: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: e\ndata: \n\n",
  );
});

test.each(["a\nb", "a\rb", "x\r\ndata: forged", "\0"])("nothing is smuggled in through an id or a type: %j", (text) => {
  for (const frame of [{ id: text }, { event: text }])
    expect(() => sseFrame({ ...frame, data: "x" })).toThrow(
      expect.toSatisfy((error) => isEventplaneError(error, "internal")),
    );
});
