/**
 * The thread that looks whether the main thread turns, and names what holds it while it does: the main thread cannot.
 *
 * It loads little and writes by itself: whatever goes through the main thread would wait for it.
 */
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { workerData } from "node:worker_threads";
import { terminalSafe } from "../../kernel/terminal.js";
import { type Activity, type LoopState, loopState } from "./loop-marks.js";
import { stackOfMainThread } from "./main-thread-place.js";
import { monotonicMs } from "./process-wide.js";

/** What the watchdog is given. */
export interface WatchdogData {
  readonly memory: SharedArrayBuffer;
  readonly heldMsMin: number;
  /** Where entries go: 1 or 2. */
  readonly fd: number;
  /** For people at a terminal, not JSON. */
  readonly isHuman: boolean;
}

const { memory, heldMsMin, fd, isHuman } = workerData as WatchdogData; // Watchdog gives it
/** The machine itself may be busy: what nobody is known to hold has to last longer. */
const unnamedFactor = 3;
const lookMs = 200;
const placeMsMax = 1_000;
/** `file:line:column` of the innermost frame of the team's code. */
const ownFrame = /\((?:file:\/\/)?(\/(?!.*\/node_modules\/)[^()]*:\d+:\d+)\)/;

/** When what holds the loop now began, and how long it has to last to be told again. */
let heldSinceMs = 0;
let tellAtMs = 0;

for (;;) {
  await sleep(lookMs);
  await look(loopState(memory));
}

async function look(state: LoopState): Promise<void> {
  if (state.beatMs === 0) return;
  const nowMs = monotonicMs();
  const isNamed = state.activity !== undefined && nowMs - state.sinceMs >= heldMsMin;
  const sinceMs = isNamed ? state.sinceMs : state.beatMs;
  const heldMs = nowMs - sinceMs;
  if (heldMs < heldMsMin * (isNamed ? 1 : unnamedFactor) || state.isInspected) return;
  if (sinceMs !== heldSinceMs) tellAtMs = 0;
  heldSinceMs = sinceMs;
  if (heldMs < tellAtMs) return;
  tellAtMs = 2 * heldMs;
  const at = placeIn(await stackInTime());
  tell(isNamed ? state.activity : undefined, { heldMs: Math.round(heldMs), at });
}

/** The inspector's session keeps no thread alive, nor does `AbortSignal.timeout`; the sleep does. */
async function stackInTime(): Promise<string> {
  const over = new AbortController();
  const found = new AbortController();
  const late = sleep(placeMsMax, undefined, { signal: found.signal }).then(
    () => over.abort(),
    () => undefined,
  );
  const stack = await stackOfMainThread(over.signal);
  found.abort();
  await late;
  return stack;
}

function placeIn(stack: string): string | undefined {
  const own = new URL("../..", import.meta.url).pathname;
  return stack
    .split("\n")
    .flatMap((line) => ownFrame.exec(line)?.[1] ?? [])
    .find((place) => !place.startsWith(own));
}

function tell(
  activity: Activity | undefined,
  { heldMs, at }: { readonly heldMs: number; readonly at: string | undefined },
): void {
  const who = activity === undefined ? "Something" : `${upper(activity.role)} ${activity.name}`;
  const on = activity?.aggregateId === undefined ? "" : ` on ${activity.aggregateType}/${activity.aggregateId}`;
  const where = at === undefined ? "" : ` at ${at}`;
  const message = terminalSafe(
    `${who} has held the event loop for ${(heldMs / 1_000).toFixed(1)} s${on}${where}: nobody is served until it returns; kill -9 ${process.pid} ends the process`,
  );
  const { role, name, ...stream } = activity ?? { role: undefined, name: undefined };
  const entry = {
    level: "error",
    time: new Date().toISOString(),
    role: "watchdog",
    code: "event_loop_held",
    ...(role === undefined ? {} : { [role]: name }),
    ...stream,
    heldMs,
    ...(at === undefined ? {} : { at: terminalSafe(at) }),
    message,
  };
  writeSync(fd, isHuman ? `${entry.time.slice(11, 19)} error ${message}\n` : `${JSON.stringify(entry)}\n`);
}

function upper(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}
