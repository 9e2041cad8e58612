/** One tenant's log in memory: rows by position, by id and by stream, with the head of the chain. */
import { chainHash, type DraftEvent, type EventRow, eventDigest, genesisHash, storedProof } from "../../event/index.js";
import type { TenantId } from "../../kernel/index.js";
import type { Head } from "../port.js";
import { emptyStream, type StreamState } from "./judge.js";

/** The name of a stream; a space is in no aggregate type. */
export function streamKey(stream: { readonly aggregateType: string; readonly aggregateId: string }): string {
  return `${stream.aggregateType} ${stream.aggregateId}`;
}

/** The position of the event that keeps the proof of a commit, by that proof: one map a call. */
export type Carriers = Map<Uint8Array, number>;

/** Append-only. Rows are frozen and live as long as the store. */
export class TenantLog {
  readonly rows: EventRow[] = [];
  readonly byId: Map<string, EventRow> = new Map();
  readonly streams: Map<string, EventRow[]> = new Map();
  readonly #tenantId: TenantId;
  readonly #logEpoch: number;

  constructor(tenantId: TenantId, logEpoch: number) {
    this.#tenantId = tenantId;
    this.#logEpoch = logEpoch;
  }

  head(): Head {
    const last = this.rows.at(-1);
    return {
      tenantId: this.#tenantId,
      position: this.rows.length,
      hash: last?.hash ?? genesisHash(this.#tenantId, this.#logEpoch),
      recordedAtUs: last?.recordedAtUs ?? 0,
      logEpoch: this.#logEpoch,
    };
  }

  /** The stream without what is staged. */
  state(stream: DraftEvent): StreamState {
    return this.streams.get(streamKey(stream))?.at(-1) ?? emptyStream;
  }

  /** Begins an atomic append: rows are staged, seen by those after them, and added together by `commit`. */
  stage(nowUs: number, carriers: Carriers): Stage {
    return new Stage(this, { head: this.head(), nowUs, carriers });
  }

  add(row: EventRow): void {
    this.rows.push(row);
    this.byId.set(row.id, row);
    const key = streamKey(row);
    const stream = this.streams.get(key);
    if (stream === undefined) this.streams.set(key, [row]);
    else stream.push(row);
  }
}

/** Rows that are not in the log yet. Dropped without a trace when `commit` is not called. */
export class Stage {
  readonly #log: TenantLog;
  readonly #rows: EventRow[] = [];
  readonly #lastOfStream: Map<string, EventRow> = new Map();
  readonly #recordedAtUs: number;
  readonly #carriers: Carriers;
  readonly #carriersAdded: [Uint8Array, number][] = [];
  #head: Head;

  constructor(log: TenantLog, options: { readonly head: Head; readonly nowUs: number; readonly carriers: Carriers }) {
    const { head, nowUs, carriers } = options;
    this.#log = log;
    this.#carriers = carriers;
    this.#head = head;
    this.#recordedAtUs = Math.max(nowUs, head.recordedAtUs);
  }

  /** The last event of the stream, staged ones included. */
  last(stream: DraftEvent): EventRow | undefined {
    const key = streamKey(stream);
    return this.#lastOfStream.get(key) ?? this.#log.streams.get(key)?.at(-1);
  }

  /** The stream as the next event finds it. */
  state(stream: DraftEvent): StreamState {
    return this.#lastOfStream.get(streamKey(stream)) ?? this.#log.state(stream);
  }

  /** Links one event to the chain. */
  push(
    event: DraftEvent,
    { commitProof, index }: { readonly commitProof: Uint8Array; readonly index: number },
    { version, generation, lifecycle }: StreamState,
  ): EventRow {
    const position = this.#head.position + 1;
    const proof = storedProof(commitProof, { index, back: position - this.#carrierOf(commitProof, position) });
    const link = {
      version,
      position,
      recordedAtUs: this.#recordedAtUs,
      logEpoch: this.#head.logEpoch,
      proof,
      commitProof,
      previousHash: this.#head.hash,
    };
    const hash = chainHash(link, eventDigest(event));
    const row: EventRow = Object.freeze({ ...event, ...link, generation, lifecycle, hash });
    this.#rows.push(row);
    this.#lastOfStream.set(streamKey(row), row);
    this.#head = { ...this.#head, position: row.position, hash };
    return row;
  }

  commit(): void {
    for (const row of this.#rows) this.#log.add(row);
    for (const [commitProof, position] of this.#carriersAdded) this.#carriers.set(commitProof, position);
  }

  #carrierOf(commitProof: Uint8Array, position: number): number {
    const staged = this.#carriersAdded.find(([proof]) => proof === commitProof);
    const known = staged?.[1] ?? this.#carriers.get(commitProof);
    if (known === undefined) this.#carriersAdded.push([commitProof, position]);
    return known ?? position;
  }
}
