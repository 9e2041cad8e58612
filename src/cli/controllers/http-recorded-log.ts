/** A tenant's log as an edge gives it to a reader, for deciding again. */
import type { EventplaneClient } from "../../client/index.js";
import type { RecordedEvent, RecordedLog, RecordedSince } from "../../controller/index.js";
import type { ProvenEvent } from "../../event/index.js";
import { EventplaneError, parseUs } from "../../kernel/index.js";

const pageEvents = 1_000;

/**
 * Reads with the client's key, which needs the grant `reader`. Proofs are not checked here: `evtctl verify` does that.
 *
 * They are asked for all the same, because what comes with its proof is what is stored. Personal data stay sealed in it, as the
 * controllers saw them when they decided, before an erasure and after it.
 */
export function httpRecordedLog(client: EventplaneClient): RecordedLog {
  return {
    read: (since) => recorded(client, since),
    stream: ({ aggregateType, aggregateId }) => recorded(client, { aggregateType, aggregateId }),
  };
}

async function* recorded(
  client: EventplaneClient,
  { after: first = 0, ...filter }: RecordedSince & Partial<Pick<RecordedEvent, "aggregateType" | "aggregateId">>,
): AsyncGenerator<RecordedEvent, void, undefined> {
  for (let after: number | null = first; after !== null; ) {
    const page: ProvenPage = await client.readProvenPage({ ...filter, after, limit: pageEvents });
    for (const event of page.events) yield recordedEvent(event);
    after = page.next;
  }
}

interface ProvenPage {
  readonly events: readonly ProvenEvent[];
  readonly next: number | null;
}

function recordedEvent(event: ProvenEvent): RecordedEvent {
  const { texts } = event.proof;
  const recordedAtUs = parseUs(event.recordedAt);
  if (recordedAtUs === undefined) {
    throw new EventplaneError("unavailable", `The plane gave an event at position ${event.position} without its time.`);
  }
  return {
    id: event.id,
    tenantId: event.tenantId,
    kind: event.kind,
    aggregateType: event.aggregateType,
    aggregateId: event.aggregateId,
    type: event.type,
    schemaVersion: event.schemaVersion,
    specText: texts.spec,
    statusText: texts.status,
    finalizersText: texts.finalizers,
    source: event.source ?? null,
    causedByText: texts.causedBy,
    correlationId: event.correlationId,
    causationId: event.causationId,
    decision: event.decision ?? null,
    keyRefsText: texts.keyRefs ?? null,
    occurredAt: event.occurredAt ?? null,
    traceparent: event.traceparent ?? null,
    version: event.version,
    position: event.position,
    recordedAtUs,
  };
}
