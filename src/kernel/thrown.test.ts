import { expect, test } from "vitest";
import { EventplaneError, isEventplaneError } from "./errors.js";
import { TerminalError } from "./terminal-error.js";
import { readThrown, thrownData, thrownError } from "./thrown.js";

/** As a message port would hand it over. */
function crossed(error: unknown): Error {
  return thrownError(structuredClone(thrownData(error)));
}

test("errors keep name, text, code, details and place", () => {
  const ours = new EventplaneError("decision_invalid", "It is none.", { details: { controller: "quota" } });
  const crossedOurs = crossed(ours);
  expect(isEventplaneError(crossedOurs, "decision_invalid")).toBe(true);
  expect(crossedOurs).toMatchObject({ message: "It is none.", details: { controller: "quota" }, stack: ours.stack });
  const foreign = new RangeError("too far");
  expect(crossed(foreign)).toMatchObject({ name: "RangeError", message: "too far", stack: foreign.stack });
  const ofNode = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
  expect(crossed(ofNode)).toMatchObject({ message: "refused", code: "ECONNREFUSED" });
  expect(isEventplaneError(crossed(Object.assign(new Error("x"), { code: "timeout" })))).toBe(false);
});

test("a TerminalError is one on the other side, with its reason", () => {
  const terminal = crossed(new TerminalError("Never.", { reason: "gone" }));
  expect(terminal).toBeInstanceOf(TerminalError);
  expect(terminal).toMatchObject({ name: "TerminalError", code: "terminal_error", reason: "gone" });
  expect((crossed(new TerminalError("Never.")) as TerminalError).reason).toBeUndefined();
});

test("whatever is thrown crosses: what is no error, and what cannot even be looked at", () => {
  const hostile = Object.defineProperty(new Error("x"), "message", {
    get: () => {
      throw new Error("gotcha");
    },
  });
  for (const thrown of ["text", undefined, null, 7, { name: "TerminalError" }, Symbol("s"), hostile])
    expect(crossed(thrown)).toMatchObject({ name: "Error", message: "" });
});

test("what a side that is not trusted says is read with care: texts and known codes, cut, and nothing else", () => {
  const said = { name: "n".repeat(20_000), message: "m", stack: "", code: "invented", details: { a: 1 }, more: true };
  expect(readThrown(said)).toEqual({ name: "n".repeat(10_000), message: "m", stack: "" });
  expect(
    readThrown({ name: "TerminalError", message: "m", stack: "", code: "terminal_error", reason: "gone" }),
  ).toEqual({
    name: "TerminalError",
    message: "m",
    stack: "",
    code: "terminal_error",
    reason: "gone",
  });
  for (const nothing of [undefined, null, "text", {}, { name: 1, message: "m", stack: "" }])
    expect(readThrown(nothing)).toBeUndefined();
});
