import pg from "pg";
import { describe, expect, it } from "vitest";
import { EventplaneError } from "../../kernel/index.js";
import { translatePgError } from "./pg-error.js";

function databaseError(state: string): pg.DatabaseError {
  const error = new pg.DatabaseError("secret detail", 1, "error");
  error.code = state;
  return error;
}

describe("translatePgError", () => {
  const states: readonly (readonly [state: string, code: string])[] = [
    ["53100", "disk_full"],
    ["55P03", "busy"],
    ["57014", "busy"],
    ["40001", "busy"],
    ["40P01", "busy"],
    ["57P01", "unavailable"],
    ["57P03", "unavailable"],
    ["08006", "unavailable"],
    ["53300", "unavailable"],
    ["28P01", "unavailable"],
    ["25006", "unavailable"],
    ["42501", "internal"],
    ["23505", "internal"],
    ["22P02", "internal"],
  ];
  for (const [state, code] of states) {
    it(`turns SQLSTATE ${state} into ${code}, keeps the cause and shows no detail`, () => {
      const cause = databaseError(state);
      const error = translatePgError(cause);
      expect(error).toMatchObject({ code, details: { sqlstate: state }, retryable: code !== "internal" });
      expect(error.cause).toBe(cause);
      expect(error.message).not.toContain("secret");
    });
  }

  it("turns failures of the connection into unavailable, mistakes of ours into internal", () => {
    expect(translatePgError(new Error("Connection terminated unexpectedly")).code).toBe("unavailable");
    expect(translatePgError(new TypeError("x is not a function")).code).toBe("internal");
  });

  it("leaves errors of Eventplane as they are", () => {
    const error = new EventplaneError("busy", "later");
    expect(translatePgError(error)).toBe(error);
  });
});
