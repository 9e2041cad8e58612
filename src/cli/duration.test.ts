import { describe, expect, it } from "vitest";
import { formatMs, parseDuration } from "./duration.js";

describe("parseDuration", () => {
  it.each([
    ["1ms", 1],
    ["250ms", 250],
    ["10s", 10_000],
    ["2m", 120_000],
    ["1h", 3_600_000],
  ])("reads %s as %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(["", "10", "0ms", "1.5s", "-1s", "1d", "10 s", "99999h", "1e3ms"])("refuses %j", (text) => {
    expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: "usage" }));
  });
});

describe("formatMs", () => {
  it.each([
    [1, "1 ms"],
    [0, "0 ms"],
    [3.25, "3.3 ms"],
    [312.4, "312 ms"],
    [4_210, "4.2 s"],
    [180_000, "3 min"],
  ])("shows %d as %s", (ms, text) => {
    expect(formatMs(ms)).toBe(text);
  });
});
