/**
 * A log in a file: lines of proven events, as `GET …/events?include=proof` streams them. Nothing of it is taken on trust: the chain from
 * position 1, every hash and every proof are checked while it is read.
 */
import { createReadStream, statSync } from "node:fs";
import { createInterface } from "node:readline";
import {
  type ChainLink,
  type EventRow,
  type ProvenEvent,
  rowsOfProvenEvents,
  type Verifier,
  verifyLink,
} from "../../event/index.js";
import { EventplaneError } from "../../kernel/index.js";

/** A larger file is refused: its events are held in memory. */
const fileBytesMax = 1_073_741_824;

/** One line: an event, or the last one. */
type Line = ProvenEvent & { readonly end?: { readonly position: number; readonly code?: string } };

/**
 * The events of a file in their order.
 *
 * @throws EventplaneError `usage` for a file that cannot be read or is too large; `event_corrupt`, `verification_failed` and `key_unknown` for
 * what does not hold, a file without its last line included
 */
export async function readLogFile(path: string, verifier: Verifier): Promise<readonly EventRow[]> {
  assertReadable(path);
  const events: ProvenEvent[] = [];
  let end: Line["end"];
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    const said = parsed(path, line);
    if (said.end !== undefined) end = said.end;
    else events.push(said);
  }
  const rows: EventRow[] = [];
  let link: ChainLink | undefined;
  for (const row of rowsOfProvenEvents(events)) {
    link = verifyLink(row, link);
    verifier.verify(row);
    rows.push(row);
  }
  if (end?.position === rows.length && end.code === undefined) return rows;
  throw new EventplaneError(
    "verification_failed",
    `${path} is not whole: its last line does not say that it ends at position ${rows.length}. Read the log into it again.`,
  );
}

function assertReadable(path: string): void {
  let bytes: number;
  try {
    bytes = statSync(path).size;
  } catch (cause) {
    throw new EventplaneError("usage", `${path} cannot be read.`, { cause });
  }
  if (bytes > fileBytesMax)
    throw new EventplaneError("usage", `${path} has more than ${fileBytesMax} bytes: ask a running edge instead.`);
}

function parsed(path: string, line: string): Line {
  try {
    const said = JSON.parse(line) as Line; // what is missing is found right below, and by who reads the events
    if (said.end !== undefined || said.proof !== undefined) return said;
  } catch (cause) {
    throw new EventplaneError("event_corrupt", `${path} has a line that is no JSON.`, { cause });
  }
  throw new EventplaneError(
    "event_corrupt",
    `${path} has an event without its proof: read the log with include=proof, without filters and from its beginning.`,
  );
}
