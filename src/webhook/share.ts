/** Who may send next, so that a tenant whose receivers are slow or dead keeps no other tenant waiting. */
import type { TenantId } from "../kernel/index.js";
import type { Lane } from "./lane.js";

/** Deliveries under way. */
export const inFlightMax = 256;
/** Of one tenant, so that there is room for 31 others at the same moment. */
const tenantInFlightMax = 8;

/** A lane that may begin so many. */
export interface Share {
  readonly lane: Lane;
  readonly limit: number;
}

/**
 * Gives the free places out one by one, to each tenant in turn, those with the fewest under way first; within a tenant to each
 * webhook in turn.
 */
export function sharesOf(
  lanes: readonly Lane[],
  { nowMs, inFlight }: { readonly nowMs: number; readonly inFlight: number },
): readonly Share[] {
  const tenants = new Map<TenantId, Turn>();
  for (const lane of lanes) {
    const { tenantId } = lane.webhook;
    const turn = tenants.get(tenantId) ?? { inFlight: 0, open: [], given: new Map<Lane, number>() };
    turn.inFlight += lane.inFlight;
    if (lane.roomAt(nowMs) > 0) turn.open.push(lane);
    tenants.set(tenantId, turn);
  }
  let free = inFlightMax - inFlight;
  let waiting = [...tenants.values()].filter(mayGive).sort((one, other) => one.inFlight - other.inFlight);
  while (free > 0 && waiting.length > 0) {
    for (const turn of waiting.slice(0, free)) {
      giveOne(turn, nowMs);
      free--;
    }
    waiting = waiting.filter(mayGive);
  }
  return [...tenants.values()].flatMap(({ given }) => [...given].map(([lane, limit]) => ({ lane, limit })));
}

interface Turn {
  inFlight: number;
  /** With room; the one whose turn it is first. */
  open: Lane[];
  readonly given: Map<Lane, number>;
}

function mayGive({ inFlight, open }: Turn): boolean {
  return inFlight < tenantInFlightMax && open.length > 0;
}

function giveOne(turn: Turn, nowMs: number): void {
  const lane = turn.open.shift();
  if (lane === undefined) return;
  const given = (turn.given.get(lane) ?? 0) + 1;
  turn.given.set(lane, given);
  turn.inFlight++;
  if (given < lane.roomAt(nowMs)) turn.open.push(lane);
}
