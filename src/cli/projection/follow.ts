/** Waits until what was asked of a projection is done, with a bar for who looks. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ProjectionInfo, ProjectionTotals } from "../../client/index.js";
import { EventplaneError } from "../../kernel/errors.js";
import type { Terminal } from "../terminal.js";

/** How a projection stands: of one tenant, or of all. */
export type Standing = ProjectionInfo | ProjectionTotals;

/** True for that of one tenant. */
export function isOfTenant(standing: Standing): standing is ProjectionInfo {
  return "tenantId" in standing;
}

const lookMs = 200;

/**
 * Looks until the request is carried out and nothing is folded anew any more.
 *
 * @param wanted what `ask` returned
 * @throws EventplaneError `projection_invalid` when an event cannot be applied, `usage` when the projection is paused, those of `look`
 */
export async function follow(
  look: () => Promise<Standing>,
  options: { readonly wanted: number; readonly terminal: Terminal },
): Promise<Standing> {
  const bar = await openBar(options.terminal);
  try {
    for (;;) {
      const standing = await look();
      assertMoves(standing);
      const { position, head, isDone } = progressOf(standing, options.wanted);
      bar?.setTotal(Math.max(1, head));
      bar?.update(position);
      if (isDone) return standing;
      await sleep(lookMs);
    }
  } finally {
    bar?.stop();
  }
}

function progressOf(
  standing: Standing,
  wanted: number,
): { readonly position: number; readonly head: number; readonly isDone: boolean } {
  if (isOfTenant(standing)) {
    const { fresh, head, requests } = standing;
    const isDone = requests >= wanted && fresh === null;
    return { position: isDone ? head : (fresh?.position ?? 0), head, isDone };
  }
  const { fresh, waiting } = standing;
  const isDone = waiting === 0 && fresh.tenants === 0;
  return isDone ? { position: 1, head: 1, isDone } : { ...fresh, isDone };
}

function assertMoves(standing: Standing): void {
  const isPaused = isOfTenant(standing) ? standing.state === "paused" : standing.isPaused;
  if (isPaused) {
    throw new EventplaneError(
      "usage",
      `Projection ${standing.name} is paused, so it waits with this: evtctl projection resume ${standing.name}.`,
    );
  }
  const failure = isOfTenant(standing) ? standing.failure : null;
  if (failure === null) return;
  const message = `Projection ${standing.name} stands still at position ${failure.position}: ${failure.message}`;
  throw new EventplaneError("projection_invalid", message);
}

interface Bar {
  setTotal(total: number): void;
  update(value: number): void;
  stop(): void;
}

async function openBar({ isInteractive }: Terminal): Promise<Bar | undefined> {
  if (!isInteractive) return undefined;
  const { SingleBar } = await import("cli-progress");
  const format = "{bar} {percentage}% | {value} of {total} events | {eta_formatted} left";
  const bar = new SingleBar({ format, stream: process.stderr, hideCursor: true });
  bar.start(1, 0);
  return bar;
}
