import { describe, expect, test } from "vitest";
import { EventplaneError, errorCodes, isRetryable } from "./errors.js";
import { TerminalError } from "./terminal-error.js";

describe("isRetryable", () => {
  test("says of each code what the error says of itself, and false of everything else", () => {
    for (const code of errorCodes) {
      const error = new EventplaneError(code, "text");
      expect(isRetryable(error)).toBe(error.retryable);
    }
    expect(errorCodes.filter((code) => isRetryable(new EventplaneError(code, "text")))).toContain("busy");
    const foreign = Object.assign(new Error("of a socket"), { code: "ECONNRESET", retryable: true });
    expect([foreign, new TerminalError("no"), new Error("no"), "busy", undefined].map(isRetryable)).toEqual(
      Array(5).fill(false),
    );
  });

  test("knows errors of another copy of the package", () => {
    class Copy extends Error {
      readonly code = "unavailable";
      readonly retryable = true;
    }
    expect(isRetryable(new Copy("text"))).toBe(true);
  });
});
