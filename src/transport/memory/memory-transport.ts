/** A transport within the process: for one process alone, and what tests of relays run on. */
import { EventplaneError, LruMap } from "../../kernel/index.js";
import type { IncomingMessage, OutgoingMessage, PublishAck, Transport, TransportStanding } from "../port.js";
import { checkedSubject, matchesSubject } from "../subject.js";

const idsKept = 100_000;
const bodyBytesMax = 1_048_576;

interface Listener {
  readonly pattern: string;
  readonly hear: (message: IncomingMessage) => void;
}

/** It keeps the ids of the latest 100,000 messages and no bodies. */
export class MemoryTransport implements Transport {
  readonly bodyBytesMax: number = bodyBytesMax;
  readonly #listeners = new Set<Listener>();
  #ids = new LruMap<string, number>(idsKept);
  #epoch = 1;
  #sequence = 0;
  #reconnects = 0;
  #isAway = false;
  #isClosed = false;

  get reconnects(): number {
    return this.#reconnects;
  }

  async publish({ subject, id, body }: OutgoingMessage): Promise<PublishAck> {
    checkedSubject(subject);
    this.#assertThere();
    if (body.byteLength > bodyBytesMax)
      throw new EventplaneError("payload_too_large", `A message has at most ${bodyBytesMax} bytes.`);
    const known = this.#ids.get(id);
    if (known !== undefined) return { isRepeated: true, sequence: known };
    this.#sequence += 1;
    this.#ids.set(id, this.#sequence);
    for (const { pattern, hear } of this.#listeners) if (matchesSubject(pattern, subject)) hear({ subject, id, body });
    return { isRepeated: false, sequence: this.#sequence };
  }

  async subscribe(pattern: string, hear: (message: IncomingMessage) => void): Promise<() => Promise<void>> {
    this.#assertThere();
    const listener = { pattern, hear };
    this.#listeners.add(listener);
    return async () => void this.#listeners.delete(listener);
  }

  async standing(): Promise<TransportStanding> {
    this.#assertThere();
    return { epoch: String(this.#epoch), sequence: this.#sequence };
  }

  /** Cannot be reached until {@link comeBack}. */
  goAway(): void {
    this.#isAway = true;
  }

  /** Can be reached again, with nothing of what it had when `isWiped`. */
  comeBack({ isWiped }: { readonly isWiped: boolean }): void {
    this.#isAway = false;
    this.#reconnects += 1;
    if (!isWiped) return;
    this.#epoch += 1;
    this.#sequence = 0;
    this.#ids = new LruMap(idsKept);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#listeners.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assertThere(): void {
    if (this.#isAway || this.#isClosed) throw new EventplaneError("unavailable", "The transport cannot be reached.");
  }
}
