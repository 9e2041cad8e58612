/** One page of a tenant's log on its way to the transport. */
import { type EventRow, eventLine } from "../event/index.js";
import { EventplaneError, isEventplaneError } from "../kernel/index.js";
import type { OutgoingMessage, Transport } from "./port.js";
import { subjectOf } from "./subject.js";

/** What became of one event. */
export type RelayResult = "published" | "repeated" | "replaced";

/** What became of a page: the first `acked` events are handed over, with all before them. */
export interface PageOutcome {
  readonly acked: number;
  /** Why the next one is not. */
  readonly failure: EventplaneError | undefined;
}

/** How a page is handed over. */
export interface PageOptions {
  readonly transport: Transport;
  /** False: nothing more is to be begun. */
  readonly mayGoOn: () => boolean;
  readonly onResult: (result: RelayResult, row: EventRow) => void;
}

/** Messages of one page that are not acknowledged yet. */
const inFlightMax = 64;

/**
 * Hands the rows over in their order, several at once, but never two of one event stream: a retry of the first would arrive
 * behind the second. After the first that fails none is begun.
 */
export async function relayPage(rows: readonly EventRow[], options: PageOptions): Promise<PageOutcome> {
  const isAcked = rows.map(() => false);
  const streams = new Map<string, Promise<void>>();
  let failure: EventplaneError | undefined;
  const send = async (row: EventRow, at: number): Promise<void> => {
    try {
      options.onResult(await relayOne(row, options.transport), row);
      isAcked[at] = true;
    } catch (error) {
      failure ??= isEventplaneError(error) ? error : brokenDown(error);
    }
  };
  for (const [at, row] of rows.entries()) {
    const stream = `${row.aggregateType}/${row.aggregateId}`;
    await streams.get(stream);
    if (streams.size >= inFlightMax) await Promise.race(streams.values());
    if (failure !== undefined || !options.mayGoOn()) break;
    const sending = send(row, at).finally(() => {
      if (streams.get(stream) === sending) streams.delete(stream);
    });
    streams.set(stream, sending);
  }
  await Promise.all(streams.values());
  const acked = isAcked.indexOf(false);
  return { acked: acked === -1 ? rows.length : acked, failure };
}

/** An event that the transport will never take goes as a notice of it, so that nothing stops behind it. */
async function relayOne(row: EventRow, transport: Transport): Promise<RelayResult> {
  try {
    return (await transport.publish(messageOf(row, eventLine(row)))).isRepeated ? "repeated" : "published";
  } catch (error) {
    if (!isEventplaneError(error) || error.retryable) throw error;
    await transport.publish(messageOf(row, noticeOf(row, error)));
    return "replaced";
  }
}

function messageOf(row: EventRow, text: string): OutgoingMessage {
  const { id, tenantId } = row;
  return { subject: subjectOf(row), id: `${tenantId}:${id}`, body: Buffer.from(text, "utf8") };
}

/** Where the event is, and why it is not here. */
function noticeOf({ id, tenantId, kind, type, position }: EventRow, { code }: EventplaneError): string {
  return JSON.stringify({ id, tenantId, kind, type, position, omitted: code });
}

function brokenDown(cause: unknown): EventplaneError {
  return new EventplaneError("internal", "An event could not be handed over. The cause is in the log.", { cause });
}
