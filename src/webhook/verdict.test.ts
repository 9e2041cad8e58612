import { describe, expect, test } from "vitest";
import type { OutboundOutcome } from "../outbound/index.js";
import { asksToWait, attemptsMax, isAble, judge } from "./verdict.js";

const answered = (status: number, retryAfterMs?: number): OutboundOutcome => ({
  result: "answered",
  status,
  ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
});
const never = (): number => 0;
const always = (): number => 0.999;

describe("an attempt", () => {
  test("that was answered from 200 to 299 is delivered, and no other", () => {
    for (const status of [200, 202, 204, 299])
      expect(judge(answered(status), 1, never)).toEqual({ verdict: "delivered" });
    for (const status of [100, 199, 300, 307, 400, 404, 500])
      expect(judge(answered(status), 1, never).verdict).toBe("failed");
  });

  test("that was answered 410 ends the webhook, one that was aborted counts for nothing", () => {
    expect(judge(answered(410), 8, never)).toEqual({ verdict: "gone" });
    expect(judge({ result: "unanswered", reason: "aborted" }, 8, never)).toEqual({ verdict: "aborted" });
  });

  test("that fails is made again by the schedule, up to a fifth later, and the eighth is the last", () => {
    const scheduleSeconds = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];
    for (const [index, seconds] of scheduleSeconds.entries()) {
      expect(judge(answered(500), index + 1, never)).toMatchObject({ retryAfterMs: seconds * 1_000 });
      const { retryAfterMs = 0 } = judge(answered(500), index + 1, always) as { readonly retryAfterMs?: number };
      expect(retryAfterMs).toBeGreaterThan(seconds * 1_100);
      expect(retryAfterMs).toBeLessThan(seconds * 1_200);
    }
    expect(attemptsMax).toBe(8);
    for (const attempt of [8, 9, 100])
      expect(judge(answered(500), attempt, never)).toMatchObject({ retryAfterMs: null });
  });

  test("waits as long as a 429 or a 503 asks, where that is longer; no other status is heard", () => {
    expect(judge(answered(429, 60_000), 1, never)).toMatchObject({ retryAfterMs: 60_000 });
    expect(judge(answered(503, 60_000), 2, never)).toMatchObject({ retryAfterMs: 300_000 });
    expect(judge(answered(500, 60_000), 1, never)).toMatchObject({ retryAfterMs: 5_000 });
    expect([asksToWait(answered(429, 1)), asksToWait(answered(429)), asksToWait(answered(400, 1))]).toEqual([
      1,
      undefined,
      undefined,
    ]);
  });

  test("tells whether the receiver is able: a status about this event says that it is", () => {
    expect([204, 307, 400, 404, 410, 422].map((status) => isAble(answered(status)))).toEqual(Array(6).fill(true));
    expect([408, 429, 500, 503].map((status) => isAble(answered(status)))).toEqual(Array(4).fill(false));
    expect(isAble({ result: "unanswered", reason: "timeout" })).toBe(false);
    expect(isAble({ result: "refused", reason: "address_refused" })).toBe(false);
  });

  test("says why it failed without a byte of the answer", () => {
    const messages = [
      answered(500),
      { result: "refused", reason: "address_refused" } as const,
      { result: "unanswered", reason: "timeout" } as const,
    ].map((outcome) => (judge(outcome, 1, never) as { readonly message: string }).message);
    expect(messages).toEqual([
      "The receiver answered with status 500.",
      "Nothing is sent to this address: address_refused.",
      "The receiver did not answer: timeout.",
    ]);
  });
});
