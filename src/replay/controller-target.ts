/** A controller as the consumer of a replay: it looks again at every resource that the events are of. */
import type { LookAgain, LookEnd, LookOptions } from "../controller/index.js";
import { LruMap } from "../kernel/index.js";
import type { ReplayGiven, ReplaySlice, ReplayTarget } from "./port.js";

/** Resources that are looked at at once. */
const looksAtOnce = 8;
/** Resources that are remembered of a replay, and replays: one that comes again beyond them is looked at again, which adds nothing. */
const rememberedMax = 20_000;
const replaysMax = 8;

/** Level-triggered: a resource is looked at once for a replay, however many of its events are meant. */
export class ControllerTarget implements ReplayTarget {
  readonly #look: LookAgain;
  readonly #controller: string;
  readonly #seen = new LruMap<string, LruMap<string, true>>(replaysMax);

  constructor(look: LookAgain, controller: string) {
    this.#look = look;
    this.#controller = controller;
  }

  async give({ replayId, tenantId, rows, dryRun, allowEffects, hold }: ReplaySlice): Promise<ReplayGiven> {
    const streams = new Map(
      rows.map(({ aggregateType, aggregateId }) => [`${aggregateType}/${aggregateId}`, { aggregateType, aggregateId }]),
    );
    const seen = this.#seenBy(replayId);
    const fresh = [...streams].filter(([name]) => seen.get(name) === undefined);
    const options: LookOptions = { controller: this.#controller, dryRun, allowEffects };
    const results: Record<string, number> = {};
    let failure: string | undefined;
    for (let from = 0; from < fresh.length; from += looksAtOnce) {
      await hold();
      const chunk = fresh.slice(from, from + looksAtOnce);
      const ends = await Promise.all(
        chunk.map(
          async ([name, stream]): Promise<readonly [string, LookEnd]> => [
            name,
            await this.#look.run(tenantId, stream, options),
          ],
        ),
      );
      for (const [name, end] of ends) {
        seen.set(name, true);
        results[end.result] = (results[end.result] ?? 0) + 1;
        if (end.failure !== undefined) failure ??= `${name}: ${end.failure.message}`;
      }
    }
    return { results, failure };
  }

  #seenBy(replayId: string): LruMap<string, true> {
    let seen = this.#seen.get(replayId);
    if (seen === undefined) this.#seen.set(replayId, (seen = new LruMap(rememberedMax)));
    return seen;
  }
}
