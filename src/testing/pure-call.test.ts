import { describe, expect, test } from "vitest";
import { pureCall } from "./pure-call.js";

const call = (work: () => unknown): unknown => pureCall("Controller quota", work);

describe("pureCall", () => {
  const impure: Readonly<Record<string, () => unknown>> = {
    "Date.now()": () => Date.now(),
    "new Date()": () => new Date(),
    "Date()": () => Date(),
    "performance.now()": () => performance.now(),
    "process.hrtime()": () => process.hrtime(),
    "process.uptime()": () => process.uptime(),
    "Math.random()": () => Math.random(),
    "crypto.randomUUID()": () => crypto.randomUUID(),
    "crypto.getRandomValues()": () => crypto.getRandomValues(new Uint8Array(1)),
    "setTimeout()": () => setTimeout(() => undefined, 0),
    "setInterval()": () => setInterval(() => undefined, 1_000),
    "setImmediate()": () => setImmediate(() => undefined),
    "fetch()": () => void fetch("http://127.0.0.1:9"),
  };

  test.each(Object.entries(impure))("refuses %s by name, also when it is caught, and opens it again", (name, use) => {
    const refused = expect.objectContaining({
      code: "decision_not_deterministic",
      message: expect.stringContaining(`Controller quota uses ${name}`),
    });
    expect(() => call(use)).toThrow(refused);
    const hidden = (): unknown => {
      try {
        return use();
      } catch {
        return undefined;
      }
    };
    expect(() => call(hidden)).toThrow(refused);
    if (!/set|fetch/.test(name)) expect(use).not.toThrow();
  });

  test("lets times be read and computed, and gives what was returned", () => {
    const at = "2026-01-01T00:00:00.000Z";
    const result = call(() => [new Date(at).getTime(), Date.parse(at), Date.UTC(2026), new Date(at) instanceof Date]);
    expect(result).toEqual([1_767_225_600_000, 1_767_225_600_000, 1_767_225_600_000, true]);
  });

  test("leaves everything as it was, also when the call throws", () => {
    const names = ["Date", "setTimeout", "fetch"];
    const held = (): unknown[] => [
      ...names.map((name) => Reflect.get(globalThis, name)),
      Object.getOwnPropertyDescriptor(performance, "now"),
      Object.getOwnPropertyDescriptor(crypto, "randomUUID"),
      Math.random,
    ];
    const before = held();
    expect(() =>
      call(() => {
        throw new RangeError("of the team");
      }),
    ).toThrow(RangeError);
    expect(held()).toEqual(before);
  });
});
