/** What a module prints, in its thread: lines, and not more than somebody could read. */
import { Writable } from "node:stream";
import { systemClock } from "../../kernel/time.js";
import { threadLimits } from "./thread-limits.js";

const { linesPerSecondMax, lineCharactersMax } = threadLimits.output;
const secondMs = 1_000;

/** Where a line was printed. */
export type OutputStream = "stdout" | "stderr";

/** Puts streams of our own in the place of the thread's. Without `tell` all is thrown away. Lines beyond the limits are left out. */
export function captureOutput(tell: ((line: string, from: OutputStream) => void) | undefined): void {
  let second = 0;
  let lines = 0;
  const tellSome = (line: string, from: OutputStream): void => {
    const now = Math.floor(systemClock.monotonicMs() / secondMs);
    if (now !== second) lines = 0;
    second = now;
    if (++lines <= linesPerSecondMax) tell?.(line, from);
  };
  for (const from of ["stdout", "stderr"] as const) {
    const stream = new Writable({
      decodeStrings: false,
      write: (chunk: unknown, _encoding, done) => {
        for (const line of tell === undefined ? [] : linesOf(chunk)) tellSome(line, from);
        done();
      },
    });
    // oxlint-disable-next-line eslint/no-restricted-globals -- its streams are what is replaced
    Object.defineProperty(process, from, { value: stream, configurable: false, writable: false });
  }
}

function linesOf(chunk: unknown): readonly string[] {
  const text = String(chunk).slice(0, linesPerSecondMax * lineCharactersMax);
  return text
    .split("\n", linesPerSecondMax)
    .filter((line) => line !== "")
    .map((line) => line.slice(0, lineCharactersMax));
}
