/** A subscriber that follows one type of fact live, through crashes, and counts what it is told. */
import { setTimeout as sleep } from "node:timers/promises";
import type { EventplaneClient } from "../../client/index.js";

const pollMs = 20;

/** Follows until it is stopped. */
export class Follower {
  readonly #seen: number[] = [];
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;

  /** Follows from position 0 until {@link Follower.stop} or an abort of `signal`. */
  constructor(client: EventplaneClient, type: string, signal: AbortSignal) {
    this.#following = this.#follow(client, type, AbortSignal.any([signal, this.#stop.signal]));
    this.#following.catch(() => undefined); // told by stop()
  }

  /** Events that came. */
  get count(): number {
    return this.#seen.length;
  }

  /** Every position once, in ascending order. */
  get isInOrder(): boolean {
    return this.#seen.every((position, at) => position > (this.#seen[at - 1] ?? 0));
  }

  /** Waits until `count` events came. @returns whether they did in time */
  async reaches(count: number, options: { readonly withinMs: number; readonly signal: AbortSignal }): Promise<boolean> {
    const deadline = performance.now() + options.withinMs;
    while (this.#seen.length < count) {
      if (performance.now() > deadline) return false;
      await sleep(pollMs, undefined, { signal: options.signal });
    }
    return true;
  }

  /** Ends it. @throws EventplaneError what ended it before */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#following;
  }

  async #follow(client: EventplaneClient, type: string, signal: AbortSignal): Promise<void> {
    for await (const item of client.subscribe({ after: 0, type }, { signal })) {
      if (item.type === "event") this.#seen.push(item.event.position);
    }
  }
}
