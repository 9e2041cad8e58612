/**
 * The events of a log as lines of JSON (application/x-ndjson), from a position to the end of the log as it was at the beginning.
 *
 * What is not taken is not read: at most one page of rows and 64 KiB of lines wait for a client, and 64 MiB of rows for all clients of a
 * tenant: beyond them a stream ends as `busy`. The last line says how far everything
 * was looked at, or why it ended before; without it the connection broke.
 */
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { type EventRow, eventLine, provenEventLines } from "../../event/index.js";
import { EventplaneError, isEventplaneError, limits } from "../../kernel/index.js";
import type { ReadFilter } from "../../store/index.js";
import { isCredentialUsable } from "../credential-usable.js";
import { failureFields } from "../failure-fields.js";
import { asEventplaneError, problemOf } from "../problem.js";
import { forbidden } from "../publish/refusal-errors.js";
import type { Caller, EdgeParts } from "./context.js";
import { assertReached } from "./position-reached.js";
import { filterNames, filterOf, integerOf, invalidParameter, positionOf, readQuery } from "./query.js";

const mediaType = "application/x-ndjson";
/** Rows of one read: what the largest events of a page make a client hold here. */
const readEvents = 128;
const chunkCharacters = 65_536;

/** Whether the request asks for lines. */
export function wantsLines({ headers: { accept = "" } }: FastifyRequest): boolean {
  return accept.split(",").some((range) => range.split(";", 1)[0]?.trim().toLowerCase() === mediaType);
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
}

/** What is read. */
interface Wanted {
  readonly filter: ReadFilter;
  readonly after: number;
  /** The last position that is looked at. */
  readonly until: number;
  /** At most so many events; they are counted behind the filter. */
  readonly limit: number;
  readonly withProofs: boolean;
  readonly isFiltered: boolean;
}

/** Answers with lines. @throws EventplaneError `request_invalid` for a position behind the end; `busy` as pages are */
export async function readLines(parts: EdgeParts, { request, reply, caller }: Exchange): Promise<unknown> {
  parts.unsent.assertRoom(caller.tenantId);
  const query = readQuery(request.query, [...filterNames, "after", "before", "limit", "include"]);
  if (query.include !== undefined && query.include !== "proof") throw invalidParameter("include", "may be proof");
  const filter = filterOf(query);
  const after = positionOf(query, "after") ?? 0;
  const before = positionOf(query, "before") ?? Number.POSITIVE_INFINITY;
  const limit = integerOf(query, "limit", { min: 1, max: Number.MAX_SAFE_INTEGER }) ?? Number.POSITIVE_INFINITY;
  const head = await assertReached(parts, caller, after);
  const isFiltered = caller.scope !== undefined || Object.keys(filter).length > 0;
  const until = Math.max(after, Math.min(head, before - 1));
  const wanted = { filter, after, until, limit, withProofs: query.include === "proof", isFiltered };
  const lines = Readable.from(guarded(parts, { request, caller, wanted }), { objectMode: false, highWaterMark: 1 });
  return reply
    .type(`${mediaType}; charset=utf-8`)
    .headers({ "cache-control": "no-store", "eventplane-filtered": String(isFiltered), "x-accel-buffering": "no" })
    .send(lines);
}

interface Reading {
  readonly request: FastifyRequest;
  readonly caller: Caller;
  readonly wanted: Wanted;
}

/** The lines, with a last one that says why when they cannot go on. */
async function* guarded(parts: EdgeParts, reading: Reading): AsyncGenerator<Buffer, void, undefined> {
  const told = new Told(parts, reading.wanted.after);
  try {
    for await (const text of linesOf(parts, reading, told)) yield Buffer.from(text, "utf8");
    yield lineOf({ end: { position: told.position } });
  } catch (thrown) {
    const error = asEventplaneError(thrown);
    const { id: requestId } = reading.request;
    if (!isEventplaneError(thrown)) {
      parts.logger.error({ requestId, ...failureFields(thrown) }, "A stream of events failed.");
    }
    const { code, detail } = problemOf(error, { requestId });
    yield lineOf({ end: { position: told.position, code, detail, requestId } });
  }
}

function lineOf(said: object): Buffer {
  return Buffer.from(`${JSON.stringify(said)}\n`, "utf8");
}

async function* linesOf(
  parts: EdgeParts,
  { caller, wanted }: Reading,
  told: Told,
): AsyncGenerator<string, void, undefined> {
  const { after, until, limit, isFiltered } = wanted;
  const { tenantId, scope } = caller;
  const filter = scope?.narrow(wanted.filter) ?? wanted.filter;
  let place = after;
  for (let count = 0; place < until && count < limit; ) {
    assertStillAllowed(parts, caller);
    const rows = await parts.reader.read(tenantId, { filter, after: place, limit: readEvents });
    const visible = rows.filter((row) => row.position <= until && scope?.allows(row) !== false).slice(0, limit - count);
    // What is proven is what is stored: personal data stay sealed in it.
    const shown = wanted.withProofs ? visible : await parts.personal.openRows(tenantId, visible);
    // Of the events of one read that share a commit, the first brings its proof.
    const write = wanted.withProofs ? provenEventLines() : eventLine;
    const giveBack = parts.unsent.take(tenantId, bytesOf(shown));
    try {
      for (const { text, position } of chunksOf(shown, write)) {
        assertStillAllowed(parts, caller);
        yield text;
        told.at(position);
      }
    } finally {
      giveBack(); // also when the client is gone
    }
    count += visible.length;
    place = rows.length < readEvents ? until : Math.min(until, rows.at(-1)?.position ?? until);
    if (count >= limit) place = told.position;
    else if (place >= until) told.at(place);
    else if (isFiltered && told.isDue(place)) {
      told.at(place);
      yield `${JSON.stringify({ bookmark: { position: place } })}\n`;
    }
  }
}

/** How far the client knows that everything was looked at. */
class Told {
  readonly #clock: EdgeParts["clock"];
  #position: number;
  #atMs: number;

  constructor({ clock }: Pick<EdgeParts, "clock">, position: number) {
    this.#clock = clock;
    this.#position = position;
    this.#atMs = clock.monotonicMs();
  }

  get position(): number {
    return this.#position;
  }

  at(position: number): void {
    this.#position = position;
    this.#atMs = this.#clock.monotonicMs();
  }

  isDue(position: number): boolean {
    const silentMs = this.#clock.monotonicMs() - this.#atMs;
    return position - this.#position >= limits.bookmarkPositions || silentMs >= limits.bookmarkIntervalMs;
  }
}

/** What rows hold here while their lines are not taken, without what is small in all of them. */
function bytesOf(rows: readonly EventRow[]): number {
  return rows.reduce((sum, { specText, statusText }) => sum + specText.length + statusText.length, 0);
}

/** Lines of some 64 KiB together, so that a slow client makes little wait here. */
function* chunksOf(
  rows: readonly EventRow[],
  write: (row: EventRow) => string,
): Generator<{ readonly text: string; readonly position: number }> {
  let text = "";
  for (const [index, row] of rows.entries()) {
    text += `${write(row)}\n`;
    if (text.length < chunkCharacters && index < rows.length - 1) continue;
    yield { text, position: row.position };
    text = "";
  }
}

/** What let the request in must hold for as long as it is answered. */
function assertStillAllowed(
  { platform, authorizer, clock }: EdgeParts,
  { principal, tenantId, resource }: Caller,
): void {
  if (!isCredentialUsable(principal, platform.fresh(), clock.nowUs()))
    throw new EventplaneError("unauthenticated", "The credential of this request was revoked or has expired.");
  if (!authorizer.rule(principal, "Read", { tenantId, resource }).allowed) throw forbidden();
}
