/** What a thread prints: lines that are harmless, and not more than somebody could read. */
import type { Readable } from "node:stream";
import { cleanText } from "../../kernel/index.js";
import type { ConsumerHost } from "../consumer-parts.js";
import { RateLimiter } from "../rate-limiter.js";

/** Pieces that are taken from a stream; what comes faster waits in the thread, whose heap is bounded. */
const pieces = { perSecond: 10, burst: 10 } as const;
/** Lines of one piece, and characters of one line; the rest is left out. */
const linesMax = 10;
const lineCharactersMax = 1_000;

/** Reads `stream` as long as it lasts. `tell` may throw. */
export function readOutput(stream: Readable, host: ConsumerHost, tell: (line: string) => void): void {
  const limiter = new RateLimiter(pieces, host.coarse);
  stream.setEncoding("utf8");
  stream.on("data", (piece: string) => {
    if (!limiter.take(1)) {
      stream.pause();
      host.wheel.after(limiter.waitMs, () => void stream.resume());
    }
    for (const line of linesOf(piece)) host.callback(() => tell(line));
  });
}

function linesOf(piece: string): readonly string[] {
  const lines = piece.slice(0, linesMax * lineCharactersMax).split("\n");
  return lines
    .filter((line) => line !== "")
    .slice(0, linesMax)
    .map((line) => cleanText(line, lineCharactersMax));
}
