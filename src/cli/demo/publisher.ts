/** Publishes a list of intents and does not stop before each is acknowledged: after a lost answer the same id is sent again. */
import { setTimeout as sleep } from "node:timers/promises";
import type { EventplaneClient, PublishReceipt } from "../../client/index.js";
import { EventplaneError, isEventplaneError } from "../../kernel/errors.js";
import type { NamedIntent } from "./workload.js";

/** How one intent is sent once. */
export type Send = (
  client: EventplaneClient,
  intent: NamedIntent,
) => Promise<PublishReceipt & { readonly repeated: boolean }>;

const callers = 8;
const retryMs = 100;
const givesUpAfterMs = 40_000;

/** One tenant's publisher. */
export class Publisher {
  readonly #client: EventplaneClient;
  readonly #send: Send;
  readonly #receipts = new Map<string, PublishReceipt>();
  readonly #inFlight = new Set<string>();
  #sentAgain = 0;
  #alreadyStored = 0;
  #lastAcknowledgedMs = 0;
  #onAcknowledged: (() => void) | undefined;

  constructor(client: EventplaneClient, send: Send) {
    this.#client = client;
    this.#send = send;
  }

  /** What was acknowledged, by id. */
  get receipts(): ReadonlyMap<string, PublishReceipt> {
    return this.#receipts;
  }

  /** Requests that wait for their answer now. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Intents that were sent more than once. */
  get sentAgain(): number {
    return this.#sentAgain;
  }

  /** Of those, the ones whose first sending had been stored although its answer was lost. */
  get alreadyStored(): number {
    return this.#alreadyStored;
  }

  /** When the last acknowledgement came, in milliseconds of the monotonic clock. */
  get lastAcknowledgedMs(): number {
    return this.#lastAcknowledgedMs;
  }

  /** Sends all intents with eight callers at once. @throws EventplaneError what the edge refused; `unavailable` after 40 s without an answer */
  async publish(intents: readonly NamedIntent[], signal: AbortSignal): Promise<void> {
    const queue = intents.values();
    const caller = async (): Promise<void> => {
      for (const intent of queue) await this.#publishOne(intent, signal);
    };
    await Promise.all(Array.from({ length: callers }, caller));
  }

  /** Resolves when `count` intents are acknowledged. */
  acknowledged(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#onAcknowledged = () => {
        if (this.#receipts.size >= count) resolve();
      };
      this.#onAcknowledged();
    });
  }

  async #publishOne(intent: NamedIntent, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + givesUpAfterMs;
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      this.#inFlight.add(intent.id);
      try {
        const receipt = await this.#send(this.#client, intent);
        if (attempt > 1) this.#sentAgain += 1;
        if (receipt.repeated) this.#alreadyStored += 1;
        this.#receipts.set(intent.id, receipt);
        this.#lastAcknowledgedMs = performance.now();
        this.#onAcknowledged?.();
        return;
      } catch (error) {
        if (!isEventplaneError(error) || !error.retryable || performance.now() > deadline) throw error;
      } finally {
        this.#inFlight.delete(intent.id);
      }
      await sleep(retryMs, undefined, { signal });
    }
  }
}

/** One attempt a call, so that the publisher counts every one that it makes. @throws EventplaneError as the client */
export const sendOnce: Send = (client, intent) => client.publish(intent);

/** The acknowledged receipt of an intent. @throws EventplaneError `internal` when there is none */
export function receiptOf(publisher: Publisher, id: string): PublishReceipt {
  const receipt = publisher.receipts.get(id);
  if (receipt === undefined) throw new EventplaneError("internal", `Intent ${id} was never acknowledged.`);
  return receipt;
}
