/** Says every few seconds that this process runs, for `evtctl status`. */
import { type Clock, isEventplaneError } from "../kernel/index.js";
import type { ProcessRegister, ProcessReport } from "../work/index.js";

const intervalMs = 5_000;

/** What is said, and to whom. */
export interface HeartbeatParts {
  readonly register: ProcessRegister;
  readonly clock: Clock;
  /** As it is now. */
  readonly report: () => ProcessReport;
}

/** Runs until `signal` aborts, then leaves. Nothing that fails here stops anything: it is for people. */
export async function runHeartbeat({ register, clock, report }: HeartbeatParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await tolerate(register.report(report()));
    await tolerate(clock.sleep(intervalMs, signal));
  }
  await tolerate(register.leave(report().processId));
}

async function tolerate(doing: Promise<void>): Promise<void> {
  try {
    await doing;
  } catch (error) {
    if (!isEventplaneError(error)) throw error;
  }
}
