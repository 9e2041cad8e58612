import { describe, expect, test } from "vitest";
import { backoffMs, type RetryOptions, retry } from "./backoff.js";
import { EventplaneError } from "./errors.js";
import type { Clock } from "./time.js";

/** Sleeps pass at once and are written down. */
function sleeper(): Clock & { readonly sleeps: number[] } {
  let now = 0;
  const sleeps: number[] = [];
  return {
    sleeps,
    nowUs: () => now * 1000,
    monotonicMs: () => now,
    sleep: (ms, signal) => {
      if (signal?.aborted) return Promise.reject(new EventplaneError("aborted", "stopped"));
      sleeps.push(ms);
      now += ms;
      return Promise.resolve();
    },
  };
}

const bounds = { baseMs: 5, capMs: 100, attemptsMax: 5, deadlineMs: 1_000, random: () => 0.5 };
const busy = (): EventplaneError => new EventplaneError("busy", "Busy; try again.");

async function outcome(options: Partial<RetryOptions>, errors: readonly unknown[]): Promise<unknown> {
  const attempts: number[] = [];
  const clock = sleeper();
  const result = await retry(
    (attempt) => {
      attempts.push(attempt);
      const error = errors[attempt - 1];
      return error === undefined ? Promise.resolve("ok") : Promise.reject(error);
    },
    { ...bounds, clock, ...options },
  ).catch((error: unknown) => error);
  return { result, attempts: attempts.length, sleeps: clock.sleeps };
}

describe("backoffMs", () => {
  test("doubles its ceiling up to the cap and spreads over all of it", () => {
    const at = (attempt: number, random: number): number =>
      backoffMs(attempt, { baseMs: 5, capMs: 100, random: () => random });
    expect([1, 2, 3, 5, 6, 60, 5_000].map((attempt) => at(attempt, 0.5))).toEqual([2.5, 5, 10, 40, 50, 50, 50]);
    expect(at(3, 0)).toBe(0);
    expect(at(3, 0.999)).toBeLessThan(20);
  });
});

describe("retry", () => {
  test("tries a retryable error again until it succeeds", async () => {
    expect(await outcome({}, [busy(), busy()])).toEqual({ result: "ok", attempts: 3, sleeps: [2.5, 5] });
  });

  test.each([new EventplaneError("forbidden", "no"), new Error("foreign"), "text"])(
    "throws %s at once",
    async (error) => {
      expect(await outcome({}, [error])).toEqual({ result: error, attempts: 1, sleeps: [] });
    },
  );

  test("throws the last error when the attempts are used up", async () => {
    const errors = [busy(), busy(), busy(), busy(), busy(), busy()];
    const end = await outcome({}, errors);
    expect(end).toMatchObject({ attempts: 5 });
    expect(end).toHaveProperty("result", errors[4]);
  });

  test("begins no wait that would end behind the deadline", async () => {
    expect(await outcome({ deadlineMs: 9 }, [busy(), busy(), busy()])).toMatchObject({ attempts: 3, sleeps: [2.5, 5] });
    expect(await outcome({ deadlineMs: 0 }, [busy()])).toMatchObject({ attempts: 1, sleeps: [] });
  });

  test("an abort before an attempt or in a wait ends it", async () => {
    expect(await outcome({ signal: AbortSignal.abort() }, [])).toMatchObject({
      result: { code: "aborted" },
      attempts: 0,
    });
    const controller = new AbortController();
    const aborting = retry(
      () => {
        controller.abort();
        return Promise.reject(busy());
      },
      { ...bounds, clock: sleeper(), signal: controller.signal },
    );
    await expect(aborting).rejects.toMatchObject({ code: "aborted" });
  });
});
