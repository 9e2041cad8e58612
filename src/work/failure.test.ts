/** What is told of errors: names and places, never their text. */
import { expect, test } from "vitest";
import { EventplaneError } from "../kernel/index.js";
import { describeFailure } from "./failure.js";

function thrown(stack: string, name = "TypeError"): Error {
  const error = new Error("secret");
  error.name = name;
  error.stack = `${name}: secret\n${stack}`;
  return error;
}

test("the place is the first frame outside Eventplane, Node.js and packages", () => {
  const failure = describeFailure(
    thrown(
      [
        `    at callOnce (${new URL("wakeup.ts", import.meta.url).href}:10:5)`,
        "    at JSON.parse (<anonymous>)",
        "    at node:internal/process/task_queues:95:5",
        "    at helper (/app/node_modules/zod/index.js:1:2)",
        "    at quota (file:///app/my%20config/eventplane.config.ts:12:34)",
        "    at other (/app/later.ts:1:1)",
      ].join("\n"),
    ),
  );
  expect(failure).toMatchObject({
    code: "TypeError",
    at: "/app/my config/eventplane.config.ts:12:34",
    isTerminal: false,
  });
  expect(failure.message).toBe("The controller threw TypeError at /app/my config/eventplane.config.ts:12:34.");
});

test("the text of an ordinary error stays out, a stack that tells nothing included", () => {
  expect(describeFailure(thrown("    at <anonymous>")).message).toBe("The controller threw TypeError.");
  expect(JSON.stringify(describeFailure("secret"))).not.toContain("secret");
});

test("a name that could hold payload is not taken over", () => {
  expect(describeFailure(thrown("", "secret\npayload")).code).toBe("Error");
});

test("the text of a TerminalError is shown, at most 300 characters of it", () => {
  const error = new Error("x".repeat(1_000));
  error.name = "TerminalError";
  error.stack = "";
  expect(describeFailure(error)).toMatchObject({ code: "terminal_error", message: "x".repeat(300), isTerminal: true });
});

test("the text of a TerminalError can be stored and shown: controls are made visible", () => {
  const error = new Error("no\u0000t \u001b[31mred\n");
  error.name = "TerminalError";
  error.stack = "";
  expect(describeFailure(error).message).toBe("no\\u{0}t \\e[31mred\\n");
});

test("whatever is thrown is described, also what resists", () => {
  const resisting = new Error("secret");
  Object.defineProperty(resisting, "name", {
    get: () => {
      throw new Error("secret");
    },
  });
  const odd = Object.assign(new Error(), { stack: 1, message: 2, name: "TerminalError" });
  for (const error of [
    resisting,
    odd,
    null,
    Symbol("secret"),
    new Proxy(
      {},
      {
        getPrototypeOf: () => {
          throw new Error("secret");
        },
      },
    ),
  ]) {
    const failure = describeFailure(error);
    expect(failure.message).toMatch(/./);
    expect(JSON.stringify(failure)).not.toContain("secret");
  }
});

test("an error of Eventplane keeps its code and its safe message", () => {
  const failure = describeFailure(new EventplaneError("decision_invalid", "It is not one."));
  expect(failure).toMatchObject({ code: "decision_invalid", message: "It is not one." });
});
