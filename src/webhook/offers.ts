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
/** A webhook that means none of them says so often how far it has looked. */
const notedEvery = 1_000;

/** What it needs. */
export interface OfferParts {
  readonly reader: LogReader;
  readonly store: DeliveryStore;
}

/** Makes rows for the webhooks of one tenant. @returns whether there may be more to look at */
export async function offerNews(
  { reader, store }: OfferParts,
  tenantId: TenantId,
  lanes: readonly { readonly lane: Lane; readonly sight: Sight }[],
): Promise<boolean> {
  const pages = new Map<number, Promise<readonly EventRow[]>>();
  const pageAfter = (after: number): Promise<readonly EventRow[]> => {
    const known = pages.get(after) ?? reader.read(tenantId, { after, limit: pageEvents });
    pages.set(after, known);
    return known;
  };
  let more = false;
  for (const { lane, sight } of lanes) {
    const room = windowMax - (lane.place?.waiting ?? windowMax);
    if (room <= 0) continue;
    const rows = await pageAfter(lane.looked);
    const { events, looked } = meantOf(rows, { lane, sight, room });
    const isMore = rows.length === pageEvents || looked < (rows.at(-1)?.position ?? 0);
    lane.isBehind = isMore;
    if ((await note(store, lane, { events, looked })) && events.length < room) more ||= isMore;
  }
  return more;
}

/** The next events that a webhook is sent, and up to where the page was looked at for them. */
function meantOf(
  rows: readonly EventRow[],
  { lane, sight, room }: { readonly lane: Lane; readonly sight: Sight; readonly room: number },
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
