/** What functions of the user answer, and what is done when they fail. */

/** Whether a value can be waited for. May throw, as any look at a value of somebody else's. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return typeof (value as { then?: unknown }).then === "function"; // any object may be asked
}

/** Whether a value is none that could be waited for; asks nothing of it. */
export function isNoObject(value: unknown): boolean {
  return value === undefined || (typeof value !== "object" && typeof value !== "function");
}

/** Calls a callback of the user. `failed` is told when it throws, or when the promise that it returned rejects. Never throws. */
export function callBack(call: () => unknown, failed: () => void): void {
  try {
    const result = call();
    if (isThenable(result)) Promise.resolve(result).then(undefined, failed);
  } catch {
    failed();
  }
}

const ignored = (): void => undefined;

/**
 * The answer of a hook that is to say yes or no. The promise of one that is asynchronous is no such answer; what it rejects with is nobody's.
 *
 * @throws what the hook throws
 */
export function answerOf<Answer>(ask: () => Answer): Answer {
  const answer = ask();
  callBack(() => answer, ignored);
  return answer;
}
