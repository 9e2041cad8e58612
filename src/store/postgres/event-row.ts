/** The columns of an event and their decoding; JSON stays text. */
import { type DecisionStamp, type EventKind, type EventRow, genesisHash } from "../../event/index.js";
import { assert, type EventId, formatUs, type TenantId } from "../../kernel/index.js";
import { kindLetters, lifecycleOf } from "./append-codec.js";

const microseconds = (column: string): string => `(extract(epoch from e.${column}) * 1000000)::bigint`;

/** The select list that {@link decodeEventRow} decodes, of `eventplane.events e`. */
export const eventColumns: string = [
  "e.position",
  "e.version",
  microseconds("recorded_at"),
  microseconds("occurred_at"),
  microseconds("decided_at"),
  "e.basis_version",
  "e.generation",
  "e.schema_version",
  "e.log_epoch",
  "e.step",
  "e.event_id",
  "e.correlation_id",
  "e.causation_id",
  "e.kind",
  "e.lifecycle",
  "e.aggregate_type",
  "e.aggregate_id",
  "e.type",
  "e.component",
  "e.source",
  "e.traceparent",
  "e.hash",
  // The hash of the position before, as the first of a range: see migration 0001, "Places in the log".
  `(select p.hash from eventplane.events p where p.tenant_id = e.tenant_id and p.position >= e.position - 1
    and p.position < e.position order by p.position limit 1)`,
  "e.proof",
  "e.status",
  "e.finalizers",
  "e.spec",
  "e.caused_by",
  "e.emits",
  "e.lookups",
  "e.key_refs",
  "e.cause_back",
].join(", ");

type Column = string | null | undefined;

const kinds: Readonly<Record<string, EventKind>> = Object.fromEntries(
  Object.entries(kindLetters).map(([kind, letter]) => [letter, kind as EventKind]), // the keys of kindLetters
);

/** An event as its row tells it: what it shares with others is with an event before it. */
export type ReferringRow = Omit<EventRow, "commitProof" | "causedByText"> & {
  /** null: that of the event `causeBack` positions before. */
  readonly causedByText: string | null;
  readonly causeBack: number;
};

/** One event from the texts of {@link eventColumns}. */
export function decodeEventRow(tenantId: TenantId, row: readonly Column[]): ReferringRow {
  const position = integer(row[0]);
  const logEpoch = integer(row[8]);
  const kind = kinds[present(row[13])];
  assert(kind !== undefined, "the append functions admit no other kind");
  return {
    position,
    version: integer(row[1]),
    recordedAtUs: integer(row[2]),
    occurredAt: timeOrNull(row[3]),
    decision: decisionOf(row),
    generation: integer(row[6]),
    schemaVersion: integer(row[7]),
    logEpoch,
    tenantId,
    id: present(row[10]) as EventId, // the column is a uuid
    correlationId: row[11] ?? present(row[10]),
    causationId: row[12] ?? null,
    kind,
    lifecycle: lifecycleOf(row[14]),
    aggregateType: present(row[15]),
    aggregateId: present(row[16]),
    type: present(row[17]),
    source: row[19] ?? null,
    traceparent: row[20] ?? null,
    hash: bytesOf(row[21]),
    // Empty when the row before is gone: no chain goes on from that.
    previousHash: position === 1 ? genesisHash(tenantId, logEpoch) : bytesOf(row[22] ?? ""),
    proof: bytesOf(row[23]),
    statusText: row[24] ?? "{}",
    finalizersText: row[25] ?? "{}",
    specText: present(row[26]),
    causedByText: row[27] ?? null,
    causeBack: Number(row[31] ?? 0),
    keyRefsText: row[30] ?? null,
  };
}

function decisionOf(row: readonly Column[]): DecisionStamp | null {
  const component = row[18];
  if (component === null || component === undefined) return null;
  const emits = row[28] ?? null;
  const lookups = row[29] ?? null;
  return {
    component,
    basisVersion: integer(row[5]),
    step: integer(row[9]),
    now: formatUs(integer(row[4])),
    // Written by the append function from what mutate made.
    ...(emits === null ? {} : { emits: JSON.parse(emits) as readonly string[] }),
    ...(lookups === null ? {} : { lookups: JSON.parse(lookups) as Readonly<Record<string, number>> }),
  };
}

/** A safe integer from a bigint's text. */
export function integer(text: Column): number {
  const value = Number(text);
  assert(text !== null && text !== undefined && Number.isSafeInteger(value), "the database gave a safe integer");
  return value;
}

/** The bytes of a bytea's text (`\x…`). */
export function bytesOf(text: Column): Buffer {
  return Buffer.from(present(text).slice(2), "hex");
}

function timeOrNull(text: Column): string | null {
  return text === null || text === undefined ? null : formatUs(integer(text));
}

function present(text: Column): string {
  assert(text !== null && text !== undefined, "the column is never null");
  return text;
}
