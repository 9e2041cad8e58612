/**
 * An event with all that an offline check of it needs: the stored proof bytes and the exact stored texts.
 *
 * The texts come as JSON strings beside the parsed members, because white space around a stored text is part of what was hashed.
 */
import { EventplaneError, isUuid, parseUs } from "../kernel/index.js";
import { eventJson } from "./codec.js";
import type { Event, EventRow } from "./event.js";

/** The wire form: the event and its `proof`. */
export interface ProvenEvent extends Event {
  readonly proof: {
    /** base64url of the stored bytes: see decodeProof. */
    readonly stored: string;
    readonly texts: {
      readonly spec: string;
      readonly status: string;
      readonly finalizers: string;
      readonly causedBy: string;
      readonly keyRefs?: string;
    };
  };
}

/** The row as JSON text of a {@link ProvenEvent}. */
export function provenEventJson(row: EventRow): string {
  const { specText: spec, statusText: status, finalizersText: finalizers, causedByText: causedBy, keyRefsText } = row;
  const texts = { spec, status, finalizers, causedBy, ...(keyRefsText === null ? {} : { keyRefs: keyRefsText }) };
  const proof = JSON.stringify({ stored: Buffer.from(row.proof).toString("base64url"), texts });
  return `${eventJson(row).slice(0, -1)},"proof":${proof}}`;
}

/**
 * The row that a verifier checks. `generation` and `lifecycle` are not hashed and are not in it: 0 and `none`.
 *
 * @throws EventplaneError `event_corrupt` when a member that is hashed is missing or has no form that can be hashed
 */
export function rowOfProvenEvent(event: ProvenEvent): EventRow {
  const { spec, status, finalizers, causedBy, keyRefs } = event.proof?.texts ?? {};
  const recordedAtUs = parseUs(String(event.recordedAt));
  const uuids = [
    event.id,
    event.tenantId,
    event.correlationId,
    ...(event.causationId === null ? [] : [event.causationId]),
  ];
  const integers = [event.version, event.position, event.schemaVersion, event.logEpoch];
  const strings = [spec, status, finalizers, causedBy, event.kind, event.type, event.aggregateType, event.aggregateId];
  const isWhole =
    uuids.every(isUuid) &&
    integers.every(Number.isSafeInteger) &&
    strings.every((text) => typeof text === "string") &&
    recordedAtUs !== undefined;
  if (!isWhole)
    throw new EventplaneError(
      "event_corrupt",
      `The event at position ${event.position} cannot be hashed: a member is missing or malformed.`,
    );
  return {
    id: event.id,
    tenantId: event.tenantId,
    kind: event.kind,
    aggregateType: event.aggregateType,
    aggregateId: event.aggregateId,
    type: event.type,
    schemaVersion: event.schemaVersion,
    specText: spec ?? "",
    statusText: status ?? "",
    finalizersText: finalizers ?? "",
    source: event.source ?? null,
    causedByText: causedBy ?? "",
    correlationId: event.correlationId,
    causationId: event.causationId,
    decision: event.decision ?? null,
    keyRefsText: keyRefs ?? null,
    occurredAt: event.occurredAt ?? null,
    traceparent: event.traceparent ?? null,
    version: event.version,
    position: event.position,
    generation: 0,
    lifecycle: "none",
    recordedAtUs: recordedAtUs ?? 0,
    logEpoch: event.logEpoch,
    proof: Buffer.from(event.proof.stored, "base64url"),
    hash: Buffer.from(event.hash, "hex"),
    previousHash: Buffer.from(event.previousHash, "hex"),
  };
}
