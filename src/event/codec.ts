/**
 * From stored rows to what leaves the system.
 *
 * Stored payload texts are JSON already: {@link eventJson} splices them in unparsed, {@link toEvent} parses each once and
 * only when somebody looks.
 */
import { formatUs, type JsonObject } from "../kernel/index.js";
import { contentHash, eventDigest } from "./digest.js";
import type { CausedBy, DecisionStamp, Event, EventKind, EventRow, Finalizers } from "./event.js";
import { proofWithPath } from "./proof.js";
import { parseCausedBy, parseStored } from "./stored-json.js";

/** The event as an object: payloads are parsed when they are read first; `JSON.stringify` gives the wire form. */
export function toEvent(row: EventRow): Event {
  return new LazyEvent(row);
}

/** The wire form as text, without parsing any payload. May hold line breaks where a publisher's spec does. */
export function eventJson(row: EventRow): string {
  const { decision } = row;
  const text = (value: string): string => JSON.stringify(value);
  const parts = [
    `{"id":"${row.id}","tenantId":"${row.tenantId}","kind":"${row.kind}"`,
    `"aggregateType":${text(row.aggregateType)},"aggregateId":${text(row.aggregateId)}`,
    `"version":${row.version},"position":${row.position},"type":${text(row.type)},"schemaVersion":${row.schemaVersion}`,
    `"spec":${row.specText},"status":${row.statusText},"finalizers":${row.finalizersText}`,
  ];
  if (row.source !== null) parts.push(`"source":${text(row.source)}`);
  parts.push(`"causedBy":${row.causedByText},"correlationId":"${row.correlationId}"`);
  parts.push(`"causationId":${row.causationId === null ? "null" : `"${row.causationId}"`}`);
  if (decision !== null) parts.push(`"decision":${JSON.stringify(decision)}`);
  if (row.keyRefsText !== null) parts.push(`"keyRefs":${row.keyRefsText}`);
  if (row.occurredAt !== null) parts.push(`"occurredAt":${text(row.occurredAt)}`);
  parts.push(`"recordedAt":"${formatUs(row.recordedAtUs)}"`);
  if (row.traceparent !== null) parts.push(`"traceparent":${text(row.traceparent)}`);
  parts.push(`"hash":"${hex(row.hash)}","previousHash":"${hex(row.previousHash)}","logEpoch":${row.logEpoch}}`);
  return parts.join(",");
}

/** What JSON text may have between its tokens, and a line may not. */
export const lineBreaks: RegExp = /[\r\n]+/g;

/** {@link eventJson} on one line, for NDJSON and SSE: in JSON text a raw line break is only ever white space. */
export function eventLine(row: EventRow): string {
  return eventJson(row).replace(lineBreaks, " ");
}

/** A proof as JSON: with the root public key and the key's introduction, all that an offline check of one event needs. */
export interface ProofDocument {
  readonly eventId: string;
  readonly tenantId: string;
  readonly position: number;
  readonly keyId: string;
  readonly index: number;
  readonly size: number;
  /** Sibling hashes from the leaf to the root, base64url. */
  readonly path: readonly string[];
  /** base64url. */
  readonly signature: string;
  /** Lower-case hex. */
  readonly content: string;
  readonly digest: string;
  /** The exact stored texts, which are what is hashed. */
  readonly texts: {
    readonly spec: string;
    readonly status: string;
    readonly finalizers: string;
    readonly causedBy: string;
    readonly keyRefs?: string;
  };
}

/**
 * The row's proof as JSON.
 *
 * @throws EventplaneError `event_corrupt` when the stored proof is none
 */
export function proofJson(row: EventRow): ProofDocument {
  const proof = proofWithPath(row);
  return {
    eventId: row.id,
    tenantId: row.tenantId,
    position: row.position,
    keyId: proof.keyId,
    index: proof.index,
    size: proof.size,
    path: proof.path.map(base64url),
    signature: base64url(proof.signature),
    content: hex(contentHash(row)),
    digest: hex(eventDigest(row)),
    texts: {
      spec: row.specText,
      status: row.statusText,
      finalizers: row.finalizersText,
      causedBy: row.causedByText,
      ...(row.keyRefsText === null ? {} : { keyRefs: row.keyRefsText }),
    },
  };
}

class LazyEvent implements Event {
  readonly #row: EventRow;
  #spec: JsonObject | undefined;
  #status: JsonObject | undefined;
  #finalizers: Finalizers | undefined;
  #causedBy: CausedBy | undefined;
  declare readonly source?: string;
  declare readonly decision?: DecisionStamp;
  declare readonly keyRefs?: Readonly<Record<string, string>>;
  declare readonly occurredAt?: string;
  declare readonly traceparent?: string;

  constructor(row: EventRow) {
    this.#row = row;
    if (row.source !== null) this.source = row.source;
    if (row.decision !== null) this.decision = row.decision;
    if (row.keyRefsText !== null) this.keyRefs = parseStored(row.keyRefsText, row) as Record<string, string>; // written by the edge only
    if (row.occurredAt !== null) this.occurredAt = row.occurredAt;
    if (row.traceparent !== null) this.traceparent = row.traceparent;
  }

  get id(): Event["id"] {
    return this.#row.id;
  }
  get tenantId(): Event["tenantId"] {
    return this.#row.tenantId;
  }
  get kind(): EventKind {
    return this.#row.kind;
  }
  get aggregateType(): string {
    return this.#row.aggregateType;
  }
  get aggregateId(): string {
    return this.#row.aggregateId;
  }
  get version(): number {
    return this.#row.version;
  }
  get position(): number {
    return this.#row.position;
  }
  get type(): string {
    return this.#row.type;
  }
  get schemaVersion(): number {
    return this.#row.schemaVersion;
  }
  get spec(): JsonObject {
    this.#spec ??= parseStored(this.#row.specText, this.#row) as JsonObject; // the log holds objects only
    return this.#spec;
  }
  get status(): JsonObject {
    this.#status ??= parseStored(this.#row.statusText, this.#row) as JsonObject; // as above
    return this.#status;
  }
  get finalizers(): Finalizers {
    this.#finalizers ??= parseStored(this.#row.finalizersText, this.#row) as unknown as Finalizers; // written by mutate only
    return this.#finalizers;
  }
  get causedBy(): CausedBy {
    this.#causedBy ??= parseCausedBy(this.#row.causedByText, this.#row);
    return this.#causedBy;
  }
  get correlationId(): string {
    return this.#row.correlationId;
  }
  get causationId(): string | null {
    return this.#row.causationId;
  }
  get recordedAt(): string {
    return formatUs(this.#row.recordedAtUs);
  }
  get hash(): string {
    return hex(this.#row.hash);
  }
  get previousHash(): string {
    return hex(this.#row.previousHash);
  }
  get logEpoch(): number {
    return this.#row.logEpoch;
  }

  toJSON(): JsonObject {
    return JSON.parse(eventJson(this.#row)) as JsonObject; // eventJson gives an object
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}
