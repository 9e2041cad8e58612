/** Waits until subscriptions have nothing left to do. */
import { EventplaneError } from "../kernel/index.js";
import type { BusShared } from "./bus-options.js";
import type { Consumer } from "./consumer.js";

/** Whose idleness, and how long it is waited for, milliseconds. */
export interface IdleWait {
  readonly consumers: () => readonly Consumer[];
  readonly deadlineMs: number;
}

const deadlineMsMax = 86_400_000;

/**
 * Checks how long may be waited.
 *
 * @throws EventplaneError `request_invalid`
 */
export function assertDeadline(deadlineMs: number): void {
  if (Number.isFinite(deadlineMs) && deadlineMs >= 0 && deadlineMs <= deadlineMsMax) return;
  throw new EventplaneError("request_invalid", `The deadline is 0 to ${deadlineMsMax} milliseconds.`);
}

/**
 * @returns whether nothing waits and no handler is under way, in time
 * @throws EventplaneError as {@link assertDeadline}
 */
export async function whenIdle(
  { wheel, handOut }: Pick<BusShared, "wheel" | "handOut">,
  { consumers, deadlineMs }: IdleWait,
): Promise<boolean> {
  assertDeadline(deadlineMs);
  let isLate = false;
  let ring = (): void => undefined;
  const late = new Promise<void>((resolve) => {
    ring = resolve;
  });
  const timer = wheel.after(deadlineMs, () => {
    isLate = true;
    ring();
  });
  const isIdle = (): boolean =>
    handOut.waiting === 0 && consumers().every(({ depth, inFlight }) => depth + inFlight === 0);
  while (!isLate && !isIdle())
    await Promise.race([late, Promise.all([handOut.idle(), ...consumers().map((consumer) => consumer.idle())])]);
  wheel.cancel(timer);
  return isIdle();
}
