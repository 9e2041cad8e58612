import { describe, expect, it } from "vitest";
import { formatUs, parseUs } from "./time.js";

describe("parseUs", () => {
  it("gives back what formatUs wrote, to the microsecond, up to both ends", () => {
    for (const us of [0, 1, -1, 1_769_851_800_000_001, -1_000_001, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
      expect(parseUs(formatUs(us))).toBe(us);
    }
  });

  it("refuses times that no safe integer can hold, so that none is hashed inexactly", () => {
    for (const text of [
      "9999-12-31T23:59:59.999999Z",
      "2255-06-05T23:47:34.740992Z",
      "0001-01-01T00:00:00Z",
      "1684-07-28T00:12:25Z",
    ]) {
      expect(parseUs(text)).toBeUndefined();
    }
  });

  it("refuses days that do not exist and everything that is not RFC 3339", () => {
    for (const text of [
      "2026-02-30T00:00:00Z",
      "2026-13-01T00:00:00Z",
      "2026-01-01",
      "2026-01-01T24:00:00Z",
      "2026-01-01T23:60:00Z",
      "2026-01-01T00:00:00+24:00",
      "2026-01-01T00:00:00",
      "2026-01-01 00:00:00Z",
      "",
    ]) {
      expect(parseUs(text)).toBeUndefined();
    }
  });

  it("takes zones and any number of digits up to nine", () => {
    expect(parseUs("1970-01-01T01:00:00.1234567+01:00")).toBe(123_456);
    expect(parseUs("1970-01-01t00:00:00z")).toBe(0);
  });
});
