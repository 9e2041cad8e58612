/**
 * Events with all that an offline check of them needs: the stored proof bytes and the exact stored texts.
 *
 * Of the events of a page that share a commit, the first one brings the commit's proof. The texts come as JSON strings beside
 * the parsed members, because white space in a stored text is part of what was hashed.
 */
import { EventplaneError, isUuid, type JsonValue, parseUs } from "../kernel/index.js";
import { eventJson, lineBreaks } from "./codec.js";
import type { DecisionStamp, Event, EventRow } from "./event.js";
import { jsonEqual } from "./json-equal.js";
import { isJsonObject } from "./merge-patch.js";
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

/** The same, each on one line; white space of specs that breaks lines is told in the exact texts only. */
export function provenEventLines(): (row: EventRow) => string {
  const write = provenEventWriter();
  return (row) => write(row).replace(lineBreaks, " ");
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
 * The rows of one page that a verifier checks, one by one in their order. `generation` and `lifecycle` are not hashed and are
 * not in it: 0 and `none`.
 *
 * @throws EventplaneError `event_corrupt` when a member that is hashed is missing or has no form that can be hashed, when a
 * member is not what its text says, or when nothing on the page brings the proof of an event's commit
 */
export function* rowsOfProvenEvents(page: readonly ProvenEvent[]): Generator<EventRow, void, undefined> {
  const commitProofs = new Map<number, Uint8Array>();
  for (const event of page) yield rowOfProvenEvent(event, commitProofs);
}

function rowOfProvenEvent(event: ProvenEvent, commitProofs: Map<number, Uint8Array>): EventRow {
  if (!isWhole(event)) throw corrupt(event, "cannot be hashed: a member is missing or malformed");
  const { spec, status, finalizers, causedBy, keyRefs } = event.proof.texts;
  for (const name of textNames) {
    if (!isText(event[name], event.proof.texts[name]))
      throw corrupt(event, `is corrupt: its ${name} is not what its text says`);
  }
  const proof = Buffer.from(event.proof.stored, "base64url");
  return {
    id: event.id,
    tenantId: event.tenantId,
    kind: event.kind,
    aggregateType: event.aggregateType,
    aggregateId: event.aggregateId,
    type: event.type,
    schemaVersion: event.schemaVersion,
    specText: spec,
    statusText: status,
    finalizersText: finalizers,
    source: event.source ?? null,
    causedByText: causedBy,
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
    recordedAtUs: parseUs(event.recordedAt) ?? 0,
    logEpoch: event.logEpoch,
    proof,
    commitProof: commitProofOf(event, proof, commitProofs),
    hash: Buffer.from(event.hash, "hex"),
    previousHash: Buffer.from(event.previousHash, "hex"),
  };
}

const textNames = ["spec", "status", "finalizers", "causedBy", "keyRefs"] as const;
const isString = (value: unknown): boolean => typeof value === "string";
const isTime = (value: unknown): boolean => typeof value === "string" && parseUs(value) !== undefined;
const isAbsentOr = (value: unknown, holds: (value: unknown) => boolean): boolean => value === undefined || holds(value);

/** Whether everything that is hashed has a form that can be; the page may say anything, whatever its type promises. */
function isWhole(event: ProvenEvent): boolean {
  const { kind, type, aggregateType, aggregateId, hash, previousHash, proof } = event ?? {};
  const { spec, status, finalizers, causedBy, keyRefs } = proof?.texts ?? {};
  const strings = [kind, type, aggregateType, aggregateId, hash, previousHash, proof?.stored, spec, status, finalizers];
  return (
    [...strings, causedBy].every(isString) &&
    [event.id, event.tenantId, event.correlationId, event.causationId === null ? event.id : event.causationId].every(
      isUuid,
    ) &&
    [event.version, event.position, event.schemaVersion, event.logEpoch].every(Number.isSafeInteger) &&
    isTime(event.recordedAt) &&
    isAbsentOr(event.occurredAt, isTime) &&
    [event.source, event.traceparent, keyRefs, proof.commit].every((value) => isAbsentOr(value, isString)) &&
    isAbsentOr(event.decision, isDecision)
  );
}

function isDecision(value: unknown): boolean {
  const { component, basisVersion, step, now, emits, lookups } = (value ?? {}) as Partial<DecisionStamp>; // checked here
  return (
    isString(component) &&
    [basisVersion, step].every(Number.isSafeInteger) &&
    isTime(now) &&
    isAbsentOr(emits, Array.isArray) &&
    isAbsentOr(lookups, isJsonObject)
  );
}

/** Whether a member is what its text says: the text is what was hashed and signed, the member is what people read. */
function isText(member: unknown, text: string | undefined): boolean {
  if (text === undefined) return member === undefined;
  try {
    return jsonEqual(JSON.parse(text) as JsonValue, member as JsonValue | undefined); // both came out of JSON.parse
  } catch {
    return false;
  }
}

function corrupt(event: ProvenEvent, what: string): EventplaneError {
  const { tenantId, position, id } = event ?? {};
  return new EventplaneError("event_corrupt", `The event at position ${String(position)} ${what}.`, {
    details: { tenantId: String(tenantId), position: Number(position), eventId: String(id) },
  });
}

function commitProofOf(event: ProvenEvent, proof: Uint8Array, commitProofs: Map<number, Uint8Array>): Uint8Array {
  const { commit } = event.proof;
  const back = proofBack(proof);
  const keeper = event.position - back;
  const brought = commit === undefined ? undefined : Buffer.from(commit, "base64url");
  const commitProof = back === 0 ? keptCommitProof(proof) : (brought ?? commitProofs.get(keeper));
  if (commitProof === undefined) throw corrupt(event, "is corrupt: nothing brings the proof of its commit");
  commitProofs.set(keeper, commitProof);
  return commitProof;
}
