/**
 * The id look-up of DESIGN §13.6 for intents that a check refuses: a repetition answers with the first receipt even when
 * today's schema or guard would refuse it.
 */
import { contentHash, type EventRow, type IntentRequest } from "../../event/index.js";
import { type EventplaneError, formatUs, isEventplaneError, isUuid, parseUs } from "../../kernel/index.js";
import type { PersonalData } from "../../personal/index.js";
import { type LogReader, receiptOf } from "../../store/index.js";
import type { PublishResult } from "./publish-result.js";
import { inItem, mismatch } from "./refusal-errors.js";

/**
 * The first receipt when the intent's id is known with the same content.
 *
 * @throws EventplaneError `content_mismatch` when it is known with another, else `refusal`
 */
export async function unlessKnown(log: KnownLog, intent: IntentRequest, refusal: unknown): Promise<PublishResult> {
  const row = await rowOf(log.reader, intent, refusal);
  if (row === undefined) throw refusal;
  if (!(await hasContent(log, row, intent))) throw mismatch(row.id);
  return { result: "repeated", receipt: receiptOf(row) };
}

/**
 * The first receipts of one atomic append, when all of its ids are known with the same content.
 *
 * @throws EventplaneError `content_mismatch` when only some are, else `refusal`
 */
export async function unlessAllKnown(
  log: KnownLog,
  intents: readonly IntentRequest[],
  refusal: unknown,
): Promise<readonly PublishResult[]> {
  const [first] = intents;
  const ids = intents.flatMap(({ id }) => (isUuid(id) ? [id] : []));
  if (!mayBeRepeated(refusal) || first === undefined || ids.length === 0) throw refusal;
  const rows = await log.reader.readByIds(first.tenantId, ids);
  if (rows.length === 0) throw refusal;
  const known = new Map<string | undefined, EventRow>(rows.map((row) => [row.id, row]));
  const results: PublishResult[] = [];
  for (const [index, intent] of intents.entries()) {
    const row = known.get(intent.id);
    if (row === undefined || !(await hasContent(log, row, intent))) throw inItem(mismatch(intent.id ?? ""), index);
    results.push({ result: "repeated", receipt: receiptOf(row) });
  }
  return results;
}

/** What is in the log, and how personal data look there. */
interface KnownLog {
  readonly reader: LogReader;
  readonly personal: PersonalData;
}

async function rowOf(reader: LogReader, intent: IntentRequest, refusal: unknown): Promise<EventRow | undefined> {
  if (!mayBeRepeated(refusal) || !isUuid(intent.id)) return undefined;
  const [row] = await reader.readByIds(intent.tenantId, [intent.id]);
  return row;
}

/** Limits come before the look-up; failures are not refusals. */
function mayBeRepeated(refusal: unknown): refusal is EventplaneError {
  return (
    isEventplaneError(refusal) &&
    !refusal.retryable &&
    refusal.code !== "payload_too_large" &&
    refusal.code !== "internal"
  );
}

/** Whether the stored event is what this request would have made: the comparison of P5. */
async function hasContent({ personal }: KnownLog, row: EventRow, intent: IntentRequest): Promise<boolean> {
  const occurredAtUs = intent.occurredAt === undefined ? undefined : parseUs(intent.occurredAt);
  const { correlationId = row.id, causationId = null, aggregateId = row.id } = intent;
  const isMalformed =
    (intent.occurredAt !== undefined && occurredAtUs === undefined) ||
    !isUuid(correlationId) ||
    (causationId !== null && !isUuid(causationId));
  if (isMalformed) return false;
  const root = intent.type.split(".", 1)[0] ?? intent.type;
  const asked = {
    ...row,
    kind: "intent" as const,
    type: intent.type,
    aggregateType: intent.aggregateType ?? root,
    aggregateId,
    source: null,
    correlationId,
    causationId,
    occurredAt: occurredAtUs === undefined ? null : formatUs(occurredAtUs),
    specText: await personal.sealedAs(row, intent.specText),
  };
  return contentHash(asked).equals(contentHash(row));
}
