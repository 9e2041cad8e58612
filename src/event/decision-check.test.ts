import { describe, expect, test } from "vitest";
import { EventplaneError } from "../kernel/index.js";
import { checkDecisions } from "./decision-check.js";

const reported = { type: "Warm", status: "True", reason: "Sun", message: "" };
const withStatus = (status: unknown): object => ({ outcome: "completed", status });
const withConditions = (...conditions: readonly unknown[]): object => ({ outcome: "progressing", conditions });
const deep = (levels: number): object => (levels === 0 ? {} : { a: deep(levels - 1) });

function problemOf(returned: unknown): string {
  try {
    checkDecisions(returned, "quota");
  } catch (error) {
    if (error instanceof EventplaneError && error.code === "decision_invalid") return error.message;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("checkDecisions", () => {
  test.each<readonly [string, unknown, RegExp]>([
    ["null", null, /it is null/],
    ["a text", "completed", /it is a string/],
    ["a promise", Promise.resolve({ outcome: "completed" }), /synchronous/],
    ["a promise in a list", [{ outcome: "completed" }, Promise.resolve()], /element 1/],
    ["an unknown outcome", { outcome: "finished" }, /none of progressing/],
    ["a rejection without a reason", { outcome: { rejected: { message: "" } } }, /reason of the rejection/],
    [
      "a rejection with a sentence as reason",
      { outcome: { rejected: { reason: "Not now", message: "" } } },
      /CamelCase/,
    ],
    ["a rejection without a message", { outcome: { rejected: { reason: "No" } } }, /message of the rejection/],
    ["a status that is a list", withStatus([]), /not an object/],
    ["a status that is null", withStatus(null), /not an object/],
    ["a status that holds NaN", withStatus({ a: [1, Number.NaN] }), /\/status\/a\/1 is not a finite number/],
    ["a status that holds 2^53", withStatus({ a: 2 ** 53 }), /too large/],
    ["a status that holds a function", withStatus({ a: () => 1 }), /function/],
    ["a status that holds a bigint", withStatus({ a: 1n }), /bigint/],
    ["a status that holds a date", withStatus({ a: new Date(0) }), /plain object/],
    ["a status that holds a map", withStatus({ a: new Map() }), /plain object/],
    ["a status with a member __proto__", withStatus(JSON.parse('{"__proto__":{}}')), /__proto__/],
    ["a status with a member constructor", withStatus({ a: { constructor: 1 } }), /constructor/],
    ["a status with a lone surrogate", withStatus({ a: "\ud800" }), /surrogate/],
    ["a member name with a lone surrogate", withStatus({ "\ud800": 1 }), /surrogate/],
    ["a status with NUL", withStatus({ a: "\u0000" }), /NUL/],
    ["a status of 40 levels", withStatus(deep(40)), /deeper/],
    ["a requeue of 0", { outcome: "progressing", requeueAfterMs: 0 }, /requeueAfterMs/],
    ["an endless requeue", { outcome: "progressing", requeueAfterMs: Number.POSITIVE_INFINITY }, /requeueAfterMs/],
    ["a requeue of a text", { outcome: "progressing", requeueAfterMs: "200" }, /requeueAfterMs/],
    ["conditions that are no list", { outcome: "progressing", conditions: {} }, /no list/],
    [
      "17 conditions",
      withConditions(...Array.from({ length: 17 }, (_, at) => ({ ...reported, type: `T${at}` }))),
      /at most 16/,
    ],
    ["a condition that is no object", withConditions("Warm"), /not an object/],
    ["the runtime's own condition", withConditions({ ...reported, type: "Ready" }), /runtime's own/],
    ["a condition twice", withConditions(reported, reported), /twice/],
    ["a condition of an unknown status", withConditions({ ...reported, status: "yes" }), /True, False, Unknown/],
    ["a condition whose type is a sentence", withConditions({ ...reported, type: "It is warm" }), /CamelCase/],
  ])("refuses %s and says why", (_, returned, why) => {
    expect(problemOf(returned)).toMatch(why);
    expect(problemOf(returned)).toContain("Controller quota");
  });

  test("nothing decided is an empty list, and one decision a list of one", () => {
    expect(checkDecisions(undefined, "quota")).toEqual([]);
    expect(checkDecisions([], "quota")).toEqual([]);
    expect(checkDecisions({ outcome: "completed" }, "quota")).toHaveLength(1);
  });

  test("the status is detached from the controller's object and members without a value are absent", () => {
    const status = { a: { b: 1 }, c: undefined };
    const [decision] = checkDecisions(withStatus(status), "quota");
    status.a.b = 2;
    expect(decision?.status).toStrictEqual({ a: { b: 1 } });
  });
});
