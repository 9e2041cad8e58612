/**
 * From the log to rows: looks through it after each webhook's place and makes a row of every event that it means and its owner may
 * see. Webhooks that stand at the same place are looked at together.
 */
import type { EventRow } from "../event/index.js";
import type { TenantId } from "../kernel/index.js";
import type { LogReader } from "../store/index.js";
import type { Sight } from "./directory.js";
import { isMeant } from "./filter.js";
import type { Lane } from "./lane.js";
import type { DeliveryStore, OfferedEvent } from "./port.js";

/**
 * Rows of one webhook that are not done. No event gets a row before all but so many of those before it are delivered or dead
 * letters: that bounds the rows, and how far order can be lost where an attempt fails.
 */
const windowMax = 256;
/** A webhook that is behind gets new rows when so few are left. */
export const refillAt: number = windowMax / 2;
const pageEvents = 200;
/**
 * Pages that one look at a tenant's log reads. Its webhooks that stand apart take turns, so that no tenant keeps the others
 * waiting, and one page at a time is in memory.
 */
const pagesMax = 4;
/** A webhook that means none of them says so often how far it has looked. */
const notedEvery = 1_000;

/** What it needs. */
export interface OfferParts {
  readonly reader: LogReader;
  readonly store: DeliveryStore;
}

/** A webhook that is looked at, and how many rows it may get. */
interface Looking {
  readonly lane: Lane;
  readonly sight: Sight;
  readonly room: number;
}

/** Makes rows for the webhooks of one tenant. @returns whether there may be more to look at */
export async function offerNews(
  { reader, store }: OfferParts,
  tenantId: TenantId,
  lanes: readonly { readonly lane: Lane; readonly sight: Sight }[],
): Promise<boolean> {
  const places = placesOf(lanes);
  const turn = Math.max(0, ...lanes.map(({ lane }) => lane.turn)) + 1;
  let more = places.length > pagesMax;
  for (const [after, there] of places.slice(0, pagesMax)) {
    const rows = await reader.read(tenantId, { after, limit: pageEvents });
    for (const looking of there) {
      looking.lane.turn = turn;
      if (await offerPage(store, looking, rows)) more = true;
    }
  }
  return more;
}

/** Those that have room, by where they stand; the place of whoever waits longest first. */
function placesOf(
  lanes: readonly { readonly lane: Lane; readonly sight: Sight }[],
): readonly (readonly [number, readonly Looking[]])[] {
  const places = new Map<number, Looking[]>();
  for (const { lane, sight } of [...lanes].sort((one, other) => one.lane.turn - other.lane.turn)) {
    const room = windowMax - (lane.place?.waiting ?? windowMax);
    if (room > 0) places.set(lane.looked, [...(places.get(lane.looked) ?? []), { lane, sight, room }]);
  }
  return [...places];
}

/** @returns whether there may be more for it at once */
async function offerPage(store: DeliveryStore, looking: Looking, rows: readonly EventRow[]): Promise<boolean> {
  const { lane, room } = looking;
  const { events, looked } = meantOf(rows, looking);
  const isMore = rows.length === pageEvents || looked < (rows.at(-1)?.position ?? 0);
  lane.isBehind = isMore;
  return (await note(store, lane, { events, looked })) && events.length < room && isMore;
}

/** The next events that a webhook is sent, and up to where the page was looked at for them. */
function meantOf(
  rows: readonly EventRow[],
  { lane, sight, room }: Looking,
): { readonly events: readonly OfferedEvent[]; readonly looked: number } {
  const events: OfferedEvent[] = [];
  let { looked } = lane;
  for (const row of rows) {
    if (events.length === room) break;
    if (isMeant(lane.webhook.filter, row) && sight(row)) events.push(row);
    looked = row.position;
  }
  return { events, looked };
}

/** @returns whether the webhook is where it is believed to be */
async function note(
  store: DeliveryStore,
  lane: Lane,
  { events, looked }: { readonly events: readonly OfferedEvent[]; readonly looked: number },
): Promise<boolean> {
  const { place, webhook } = lane;
  if (place === undefined) return false;
  if (events.length > 0 || looked - place.position >= notedEvery) {
    if (!(await store.offer(webhook, { from: place.position, to: looked, events }))) {
      lane.place = undefined;
      return false;
    }
    lane.place = { ...place, position: looked, waiting: place.waiting + events.length };
    if (events.length > 0) lane.dueAtMs = 0;
  }
  lane.looked = looked;
  return true;
}
