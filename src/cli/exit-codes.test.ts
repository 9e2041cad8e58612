import { describe, expect, it } from "vitest";
import { errorCodes } from "../kernel/index.js";
import { adviceFor } from "./advice.js";
import { exitStatus, exitStatusOf } from "./exit-codes.js";

describe("exit statuses", () => {
  it("give every code one of the documented statuses, and never success", () => {
    const failures: readonly number[] = Object.values(exitStatus).filter((status) => status !== exitStatus.ok);
    for (const code of errorCodes) expect(failures).toContain(exitStatusOf(code));
  });

  it("tell a retry apart from a refusal, a conflict and a broken log", () => {
    expect(exitStatusOf("unavailable")).toBe(5);
    expect(exitStatusOf("forbidden")).toBe(3);
    expect(exitStatusOf("wrong_expected_generation")).toBe(4);
    expect(exitStatusOf("verification_failed")).toBe(6);
    expect(exitStatusOf("port_in_use")).toBe(1);
  });
});

describe("advice", () => {
  it("is one line that ends as a sentence, for every code", () => {
    for (const code of errorCodes) expect(adviceFor(code)).toMatch(/^[^\n]+\.$/);
  });
});
