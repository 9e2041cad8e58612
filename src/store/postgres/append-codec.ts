/**
 * The text in which a call travels to the append functions, and their rows back into outcomes.
 *
 * A flat list of fields apart by 0x1f, the first of which lists the appends, apart by 0x1e; an empty field is null. JSON
 * text holds neither byte (RFC 8259 §7), the other fields are checked. The order of fields is that of migration 0004.
 */
import type { DraftEvent, Lifecycle } from "../../event/index.js";
import { assert, type EventId, formatUs } from "../../kernel/index.js";
import type { AppendItem, AppendOutcome, Receipt, RefusalCode, SignedAppend } from "../port.js";

const appendSeparator = "\u001e";
const fieldSeparator = "\u001f";
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the bytes that a field must not hold
const forbidden = /[\u0000\u001e\u001f]/;

/** One row of an append function: item, outcome, code, position, version, generation, lifecycle, hash, recorded µs, and of an event that was there before: id, aggregate type, aggregate id, correlation id. */
export type OutcomeRow = readonly (string | null)[];

/** Outcome numbers of migration 0004. */
const outcomes = { added: "1", repeated: "2", unchanged: "3", refused: "4" } as const;

/** The one parameter of an append function. */
export function encodeCall(call: readonly SignedAppend[]): string {
  const appends: string[] = [];
  const events: string[] = [];
  for (const [index, append] of call.entries()) {
    const { tenantId, lease, items, proofs } = append;
    appends.push(tenantId);
    if (lease === undefined) appends.push("", "", "", "", "");
    else
      appends.push(lease.aggregateType, lease.aggregateId, lease.component, lease.leaseToken, text(lease.dueAfterMs));
    for (const [at, item] of items.entries()) {
      const proof = proofs[at];
      assert(proof !== undefined, "every event of an append has its proof");
      pushEvent(events, item, { append: index + 1, proof });
    }
  }
  assert(!appends.some((field) => forbidden.test(field)), "no separator is in a field of a lease");
  assert(!events.some((field) => forbidden.test(field)), "no separator is in a field of an event");
  return appends.join(appendSeparator) + fieldSeparator + events.join(fieldSeparator);
}

const expectedCodes = { any: "-1", streamExists: "-2", noStream: "0" } as const;

function pushEvent(
  into: string[],
  { event, effect, expectedVersion, expectedGeneration }: AppendItem,
  { append, proof }: { readonly append: number; readonly proof: Uint8Array },
): void {
  const { decision } = event;
  into.push(
    String(append),
    effect,
    typeof expectedVersion === "number" ? String(expectedVersion) : expectedCodes[expectedVersion],
    text(expectedGeneration),
    event.id,
    event.kind,
    event.aggregateType,
    event.aggregateId,
    event.type,
    String(event.schemaVersion),
    event.correlationId,
    text(event.causationId),
    text(event.occurredAt),
    text(event.source),
    text(event.traceparent),
    text(decision?.component),
    text(decision?.basisVersion),
    text(decision?.step),
    text(decision?.now),
    decision?.emits === undefined ? "" : JSON.stringify(decision.emits),
    decision?.lookups === undefined ? "" : JSON.stringify(decision.lookups),
    text(event.keyRefsText),
    event.statusText,
    event.finalizersText,
    event.specText,
    event.causedByText,
    Buffer.from(proof.buffer, proof.byteOffset, proof.byteLength).toString("hex"),
  );
}

/** Nothing travels as an empty field, so a present text must not be empty. */
function text(value: string | number | null | undefined): string {
  assert(value !== "", "an optional field of an event is absent or not empty");
  return value === null || value === undefined ? "" : String(value);
}

/** The outcomes of a call, in the order of its appends. */
export function decodeOutcomes(call: readonly SignedAppend[], rows: readonly OutcomeRow[]): readonly AppendOutcome[] {
  const byItem = new Map(rows.map((row) => [Number(row[0]), row]));
  let first = 1;
  return call.map(({ items }) => {
    const own = items.map((_, index) => byItem.get(first + index));
    first += items.length;
    return outcomeOf(items, own);
  });
}

function outcomeOf(items: readonly AppendItem[], rows: readonly (OutcomeRow | undefined)[]): AppendOutcome {
  const refusedAt = rows.findIndex((row) => row?.[1] === outcomes.refused);
  const refusal = rows[refusedAt];
  if (refusal !== undefined) return refused(refusal, refusedAt);
  const receipts: Receipt[] = [];
  for (const [index, row] of rows.entries()) {
    const event = items[index]?.event;
    if (row !== undefined && event !== undefined) receipts.push(receipt(event, row));
  }
  const repeated = rows.find((row) => row?.[1] === outcomes.repeated);
  if (repeated !== undefined)
    return { result: "repeated", receipts, contentDiffers: repeated[2] === "content_differs" };
  assert(receipts.length === items.length, "the append function answers for every event");
  return { result: "appended", receipts };
}

function refused([, , code, , version, generation, lifecycle]: OutcomeRow, index: number): AppendOutcome {
  return {
    result: "refused",
    // The function knows these codes and lifecycles only.
    code: code as RefusalCode,
    index,
    current: { version: number(version), generation: number(generation), lifecycle: lifecycle as Lifecycle },
  };
}

function receipt(event: DraftEvent, row: OutcomeRow): Receipt {
  const [, , , position, version, generation, , hash, recordedAtUs, id, aggregateType, aggregateId, correlationId] =
    row;
  return {
    id: (id as EventId | null) ?? event.id, // the column is a uuid
    tenantId: event.tenantId,
    aggregateType: aggregateType ?? event.aggregateType,
    aggregateId: aggregateId ?? event.aggregateId,
    version: number(version),
    position: number(position),
    generation: number(generation),
    correlationId: correlationId ?? event.correlationId,
    hash: hash ?? "",
    recordedAt: formatUs(number(recordedAtUs)),
  };
}

function number(value: string | null | undefined): number {
  const parsed = Number(value);
  assert(value !== null && value !== undefined && Number.isSafeInteger(parsed), "the database gave a safe integer");
  return parsed;
}
