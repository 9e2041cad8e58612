/** Follows one resource from an intent until it rests, and shows how. */
import type { EventplaneClient, PublishReceipt } from "../../client/index.js";
import type { Event } from "../../event/index.js";
import { formatMs } from "../duration.js";
import { exitStatus } from "../exit-codes.js";
import type { Shell } from "../shell.js";
import { plain } from "../terminal.js";
import { Progress, type Settlement } from "./progress.js";

/** What to follow. */
export interface SettleOptions {
  readonly client: EventplaneClient;
  readonly shell: Shell;
  readonly receipt: Pick<PublishReceipt, "id" | "aggregateType" | "aggregateId" | "position">;
  /** When the intent was sent, and how long after that to give up waiting. */
  readonly startedMs: number;
  readonly timeoutMs: number;
  /** Shows the line; false leaves the words to the caller. */
  readonly isShown: boolean;
}

/** How it ended; `settlement` is null when time ran out first. */
export interface Settled {
  readonly settlement: Settlement | null;
  readonly elapsedMs: number;
}

/**
 * Waits for the resource to rest.
 *
 * Sets the exit status: 0 ready or deleted, 1 rejected, stalled or held, 7 when time ran out; the intent goes on by itself.
 */
export async function settle(options: SettleOptions): Promise<Settled> {
  const { client, shell, receipt, startedMs, timeoutMs, isShown } = options;
  const { aggregateType, aggregateId, position } = receipt;
  const { terminal } = shell;
  const progress = new Progress(`${aggregateType}/${aggregateId}`);
  const redraw = (): void => {
    if (isShown && terminal.isInteractive) terminal.redraw(progress.line(plain));
  };
  for await (const event of eventsUntil(
    client,
    { after: position - 1, aggregateType, aggregateId },
    startedMs + timeoutMs,
  )) {
    progress.take(event);
    redraw();
    if (progress.settlement !== undefined) break;
  }
  const elapsedMs = performance.now() - startedMs;
  const settlement = progress.settlement ?? null;
  if (isShown) {
    if (terminal.isInteractive) terminal.redraw("");
    await terminal.line(
      `${progress.line(terminal)}   ${settlement === null ? "still under way after" : "in"} ${formatMs(elapsedMs)}`,
    );
  }
  tellEnd(options, settlement);
  return { settlement, elapsedMs };
}

async function* eventsUntil(
  client: EventplaneClient,
  query: { readonly after: number; readonly aggregateType: string; readonly aggregateId: string },
  deadlineMs: number,
): AsyncGenerator<Event> {
  const leftMs = Math.floor(deadlineMs - performance.now());
  if (leftMs <= 0) return;
  for await (const item of client.subscribe(query, { signal: AbortSignal.timeout(leftMs) })) {
    if (item.type === "event") yield item.event;
  }
}

function tellEnd({ shell, receipt, timeoutMs }: SettleOptions, settlement: Settlement | null): void {
  const name = `${receipt.aggregateType}/${receipt.aggregateId}`;
  const { terminal } = shell;
  if (settlement === null) {
    shell.exitStatus = exitStatus.notSettled;
    terminal.note(
      `${terminal.red("error")} timeout: ${name} was not settled within ${formatMs(timeoutMs)}; intent ${receipt.id} is in the log and goes on.`,
    );
    terminal.note(`  Look later with \`evtctl get ${name}\`, or give it longer with --timeout 30s.`);
  } else if (settlement === "stalled") {
    shell.exitStatus = exitStatus.failed;
    terminal.note(`${terminal.red("error")} reconcile_failed: a controller or a worker of ${name} gave up.`);
    terminal.note("  See why with `evtctl dead-letter list`; when it is mended, `evtctl dead-letter redrive ID`.");
  } else if (settlement === "held") {
    shell.exitStatus = exitStatus.failed;
    terminal.note(`${terminal.red("error")} effect_held: nobody knows what became of an outside call for ${name}.`);
    terminal.note(
      "  Look it up with `evtctl effect list`; then `evtctl effect resolve ID` or `evtctl effect retry ID`.",
    );
  } else if (settlement === "rejected") {
    shell.exitStatus = exitStatus.failed;
    terminal.note(`${terminal.red("error")} rejected: a controller of ${name} rejected what was asked.`);
    terminal.note(`  \`evtctl describe ${name}\` shows its reason; publish a change that it accepts.`);
  }
}
