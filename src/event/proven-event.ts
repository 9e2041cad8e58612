/**
 * Events with all that an offline check of them needs: the stored proof bytes and the exact stored texts.
 *
 * Of the events of a page that share a commit, the first one brings the commit's proof. The texts come as JSON strings beside the parsed members, because white space around a stored text is part of what was hashed.
 */
import { EventplaneError, isUuid, parseUs } from "../kernel/index.js";
import { eventJson } from "./codec.js";
import type { Event, EventRow } from "./event.js";
import { keptCommitProof, proofBack } from "./proof.js";

/** The wire form: the event and its `proof`. */
export interface ProvenEvent extends Event {
  readonly proof: {
    /** base64url of the stored bytes: see proof.ts. */
    readonly stored: string;
    /** base64url of the proof of its commit, where neither the event nor one before it on the page has it. */
    readonly commit?: string;
    readonly texts: {
      readonly spec: string;
      readonly status: string;
      readonly finalizers: string;
      readonly causedBy: string;
      readonly keyRefs?: string;
    };
  };
}

/** Writes the rows of one page, in the order of the calls, as JSON texts of {@link ProvenEvent}s. */
export function provenEventWriter(): (row: EventRow) => string {
  const given = new Set<number>();
  return (row) => {
    const back = proofBack(row.proof);
    const isGiven = back === 0 || given.has(row.position - back);
    given.add(row.position - back);
    return provenEventJson(row, isGiven ? {} : { commit: base64url(row.commitProof) });
  };
}

function provenEventJson(row: EventRow, commit: { readonly commit?: string }): string {
  const { specText: spec, statusText: status, finalizersText: finalizers, causedByText: causedBy, keyRefsText } = row;
  const texts = { spec, status, finalizers, causedBy, ...(keyRefsText === null ? {} : { keyRefs: keyRefsText }) };
  const proof = JSON.stringify({ stored: base64url(row.proof), ...commit, texts });
  return `${eventJson(row).slice(0, -1)},"proof":${proof}}`;
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}

/**
 * The rows of one page that a verifier checks. `generation` and `lifecycle` are not hashed and are not in it: 0 and `none`.
 *
 * @throws EventplaneError `event_corrupt` when a member that is hashed is missing or has no form that can be hashed, or when
 * nothing on the page brings the proof of an event's commit
 */
export function rowsOfProvenEvents(page: readonly ProvenEvent[]): readonly EventRow[] {
  const commitProofs = new Map<number, Uint8Array>();
  return page.map((event) => rowOfProvenEvent(event, commitProofs));
}

function rowOfProvenEvent(event: ProvenEvent, commitProofs: Map<number, Uint8Array>): EventRow {
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
  const proof = Buffer.from(event.proof.stored, "base64url");
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
    proof,
    commitProof: commitProofOf(event, proof, commitProofs),
    hash: Buffer.from(event.hash, "hex"),
    previousHash: Buffer.from(event.previousHash, "hex"),
  };
}

function commitProofOf(event: ProvenEvent, proof: Uint8Array, commitProofs: Map<number, Uint8Array>): Uint8Array {
  const { commit } = event.proof;
  const back = proofBack(proof);
  const keeper = event.position - back;
  const brought = commit === undefined ? undefined : Buffer.from(commit, "base64url");
  const commitProof = back === 0 ? keptCommitProof(proof) : (brought ?? commitProofs.get(keeper));
  if (commitProof === undefined)
    throw new EventplaneError("event_corrupt", `Nothing brings the proof of position ${event.position}.`);
  commitProofs.set(keeper, commitProof);
  return commitProof;
}
