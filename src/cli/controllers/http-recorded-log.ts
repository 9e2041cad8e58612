/** A tenant's log as an edge gives it to a reader, for deciding again. */
import type { EventplaneClient } from "../../client/index.js";
import type { RecordedEvent, RecordedLog } from "../../controller/index.js";
import type { Event } from "../../event/index.js";
import { EventplaneError, isEventplaneError, parseUs } from "../../kernel/index.js";

const pageEvents = 1_000;

/** Reads with the client's key, which needs the grant `reader`. Proofs are not checked here: `evtctl verify` does that. */
export function httpRecordedLog(client: EventplaneClient): RecordedLog {
  return {
    read: (since) => recorded(client.read({ ...since, limit: pageEvents })),
    stream: ({ aggregateType, aggregateId }) => recorded(client.stream(aggregateType, aggregateId)),
  };
}

async function* recorded(events: AsyncIterable<Event>): AsyncGenerator<RecordedEvent, void, undefined> {
  try {
    for await (const event of events) yield recordedEvent(event);
  } catch (error) {
    // A stream without events is none to the edge.
    if (!isEventplaneError(error, "not_found")) throw error;
  }
}

function recordedEvent(event: Event): RecordedEvent {
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
    specText: JSON.stringify(event.spec),
    statusText: JSON.stringify(event.status),
    finalizersText: JSON.stringify(event.finalizers),
    source: event.source ?? null,
    causedByText: JSON.stringify(event.causedBy),
    correlationId: event.correlationId,
    causationId: event.causationId,
    decision: event.decision ?? null,
    keyRefsText: event.keyRefs === undefined ? null : JSON.stringify(event.keyRefs),
    occurredAt: event.occurredAt ?? null,
    traceparent: event.traceparent ?? null,
    version: event.version,
    position: event.position,
    recordedAtUs,
  };
}
