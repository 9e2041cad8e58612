import { describe, expect, it } from "vitest";
import { humanLog } from "./human-log.js";
import { plain } from "./terminal.js";

describe("the log for people", () => {
  it("is one line with the reason and the place in the team's code", () => {
    const lines: string[] = [];
    const entry = {
      level: "warn",
      time: "2026-01-31T12:00:01.000Z",
      role: "controllers",
      controller: "quota",
      attempt: 1,
      reason: "The controller threw TypeError at /app/eventplane.config.ts:12:5.",
      at: "/app/eventplane.config.ts:12:5",
      message: "A controller failed and is tried again",
    };
    humanLog(plain, (line) => lines.push(line)).write(JSON.stringify(entry));
    expect(lines).toEqual([
      "12:00:01 warn  A controller failed and is tried again: The controller threw TypeError at /app/eventplane.config.ts:12:5. (controller=quota attempt=1)\n",
    ]);
  });

  it("names the place when the reason does not", () => {
    const lines: string[] = [];
    humanLog(plain, (line) => lines.push(line)).write(
      JSON.stringify({ level: "error", time: "2026-01-31T12:00:01.000Z", message: "It failed", at: "a.ts:1:2" }),
    );
    expect(lines).toEqual(["12:00:01 error It failed at a.ts:1:2\n"]);
  });
});
