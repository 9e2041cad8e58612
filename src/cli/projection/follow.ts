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
/** Looks in a row that find the same place, beside an event that cannot be applied. */
const stillLooksMax = 10;

/**
 * Looks until the request is carried out and nothing is folded anew any more. What is read may stand still meanwhile: to
 * fold it anew is the way out then.
 *
 * @param wanted what `ask` returned
 * @throws EventplaneError `projection_invalid` when an event cannot be applied and nothing moves for 2 s, `usage` when the
 * projection is paused, those of `look`
 */
export async function follow(
  look: () => Promise<Standing>,
  options: { readonly wanted: number; readonly terminal: Terminal; readonly pause?: (ms: number) => Promise<unknown> },
): Promise<Standing> {
  const { wanted, terminal, pause = sleep } = options;
  const bar = await openBar(terminal);
  let place = "";
  let stillLooks = 0;
  try {
    for (;;) {
      const standing = await look();
      assertRuns(standing);
      const { position, head, isDone } = progressOf(standing, wanted);
      bar?.setTotal(Math.max(1, head));
      bar?.update(position);
      if (isDone) return standing;
      const now = placeOf(standing);
      stillLooks = now === place ? stillLooks + 1 : 0;
      place = now;
      if (stillLooks >= stillLooksMax) assertNoneStopped(standing);
      await pause(lookMs);
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

function placeOf(standing: Standing): string {
  const begun = isOfTenant(standing) ? standing.requests : standing.waiting;
  return JSON.stringify([begun, standing.fresh]);
}

function assertRuns(standing: Standing): void {
  const isPaused = isOfTenant(standing) ? standing.state === "paused" : standing.isPaused;
  if (!isPaused) return;
  throw new EventplaneError(
    "usage",
    `Projection ${standing.name} is paused, so it waits with this: evtctl projection resume ${standing.name}.`,
  );
}

/**
 * A verification says something only where what is read was compared with what was folded anew.
 *
 * @throws EventplaneError `projection_invalid`
 */
export function assertCompared(standing: Standing): void {
  assertNoneStopped(standing);
  if (!isOfTenant(standing) || standing.check !== null || standing.head === 0) return;
  const { name, version, liveVersion } = standing;
  const message = `Projection ${name} was folded anew, and nothing was compared: what is read is of version ${liveVersion}, this plane's is ${version}.`;
  throw new EventplaneError("projection_invalid", message);
}

function assertNoneStopped(standing: Standing): void {
  const { name } = standing;
  if (!isOfTenant(standing)) {
    const [first] = standing.stoppedTenants ?? [];
    if (first === undefined) return;
    const message = `Projection ${name} stands still for tenant ${first.tenantId}, maybe for others, at position ${first.position}: ${first.message}`;
    throw new EventplaneError("projection_invalid", message);
  }
  const { failure } = standing;
  if (failure === null) return;
  const message = `Projection ${name} stands still at position ${failure.position}: ${failure.message}`;
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
