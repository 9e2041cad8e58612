/** A controller as the consumer of a replay: it looks again at every resource that the events are of. */
import type { LookAgain, LookEnd, LookOptions } from "../controller/index.js";
import type { EventRow } from "../event/index.js";
import { type Clock, isEventplaneError, LruMap } from "../kernel/index.js";
import type { ReplayGiven, ReplaySlice, ReplayTarget } from "./port.js";

/** Resources that are looked at at once. */
const looksAtOnce = 8;
/** Resources that are remembered of a replay, and replays: one that comes again beyond them is looked at again, which adds nothing. */
const rememberedMax = 20_000;
const replaysMax = 8;
/** After so long the rest of a slice is left to the next turn, in which the replay may have been paused. */
const sliceMsMax = 2_000;

/** Level-triggered: a resource is looked at once for a replay, however many of its events are meant. */
export class ControllerTarget implements ReplayTarget {
  readonly #look: LookAgain;
  readonly #controller: string;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #seen = new LruMap<string, LruMap<string, true>>(replaysMax);

  constructor(look: LookAgain, controller: string, clock: Pick<Clock, "monotonicMs">) {
    this.#look = look;
    this.#controller = controller;
    this.#clock = clock;
  }

  async give(slice: ReplaySlice): Promise<ReplayGiven> {
    const endsAtMs = this.#clock.monotonicMs() + sliceMsMax;
    const results: Record<string, number> = {};
    let failure: string | undefined;
    let given = 0;
    while (given < slice.rows.length && (given === 0 || this.#clock.monotonicMs() < endsAtMs)) {
      const chunk = this.#chunkAfter(given, slice);
      try {
        for (const [name, end] of await this.#lookAt(chunk.streams, slice)) {
          results[end.result] = (results[end.result] ?? 0) + 1;
          if (end.failure !== undefined) failure ??= `${name}: ${end.failure.message}`;
        }
      } catch (error) {
        // What was looked at before counts; whoever lost the replay has nothing to say of it.
        if (given === 0 || isEventplaneError(error, "lease_lost")) throw error;
        break;
      }
      given = chunk.given;
    }
    return { given, results, failure };
  }

  /** The next few resources that are not remembered, and how many rows that is. */
  #chunkAfter(
    from: number,
    { replayId, rows }: ReplaySlice,
  ): { readonly streams: ReadonlyMap<string, EventRow>; readonly given: number } {
    const seen = this.#seenBy(replayId);
    const streams = new Map<string, EventRow>();
    let given = from;
    for (; given < rows.length && streams.size < looksAtOnce; given++) {
      const row = rows[given];
      const name = `${row?.aggregateType}/${row?.aggregateId}`;
      if (row !== undefined && !seen.has(name)) streams.set(name, row);
    }
    return { streams, given };
  }

  async #lookAt(
    streams: ReadonlyMap<string, EventRow>,
    { replayId, tenantId, dryRun, allowEffects, hold }: ReplaySlice,
  ): Promise<readonly (readonly [string, LookEnd])[]> {
    if (streams.size === 0) return [];
    await hold();
    const options: LookOptions = { controller: this.#controller, dryRun, allowEffects };
    const looks = [...streams].map(
      async ([name, stream]): Promise<readonly [string, LookEnd]> => [
        name,
        await this.#look.run(tenantId, stream, options),
      ],
    );
    const ends = await Promise.all(looks);
    const seen = this.#seenBy(replayId);
    for (const [name] of ends) seen.set(name, true);
    return ends;
  }

  #seenBy(replayId: string): LruMap<string, true> {
    let seen = this.#seen.get(replayId);
    if (seen === undefined) this.#seen.set(replayId, (seen = new LruMap(rememberedMax)));
    return seen;
  }
}
