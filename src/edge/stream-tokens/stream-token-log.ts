/**
 * Who made stream tokens, as system facts in the tenant's log: the first of a key in a minute before it is given out, those of
 * the rest of the minute summed into one fact at its end. A page that reloads, or a million of them, fills no log.
 *
 * The facts hold which key made how many, and what they leave of its rights; never a token.
 */
import type { EventFactory } from "../../event/index.js";
import { type Clock, EventplaneError, formatUs, type JsonObject } from "../../kernel/index.js";
import type { Ruling } from "../authz/ruling.js";
import type { EventLog } from "../dependencies.js";
import { type MinuteSum, MinuteSums } from "../minute-sums.js";
import type { Principal } from "../principal.js";
import { stampOf } from "../stamp.js";
import type { StreamTokenLimits } from "./stream-token.js";

/** One token, as it is about to be given out. */
export interface MintedToken {
  /** Of an API key. */
  readonly principal: Principal & { readonly keyId: string };
  readonly limits: StreamTokenLimits;
  readonly ruling: Ruling;
  readonly requestId: string;
}

/** What the log of minted tokens needs. */
export interface StreamTokenLogDependencies {
  readonly factory: EventFactory;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly edge: string;
  /** Hears of sums that could not be written; they stay counted. */
  readonly report: (failure: unknown) => void;
}

const keysMax = 10_000;
/** What tokens of one fact leave is told of so many apart; of further ones only the number. */
const limitsMax = 20;

interface Tracked extends MinuteSum {
  /** The latest of the window. */
  minted: MintedToken;
  /** Resolves when the first of the window is in the log. */
  readonly opened: Promise<void>;
  sinceUs: number;
  untilUs: number;
  limits: Map<string, JsonObject>;
}

/** Writes who made tokens. */
export class StreamTokenLog {
  readonly #dependencies: StreamTokenLogDependencies;
  readonly #sums: MinuteSums<Tracked>;

  constructor(dependencies: StreamTokenLogDependencies) {
    this.#dependencies = dependencies;
    this.#sums = new MinuteSums({ clock: dependencies.clock, write: (tracked) => this.#write(tracked) });
  }

  /**
   * Notes a token; resolves when it may be given out.
   *
   * @throws EventplaneError what the log answers when the first of a minute cannot be written; `busy` at 10,000 keys a minute
   */
  async note(minted: MintedToken): Promise<void> {
    const { keyId } = minted.principal;
    const known = this.#sums.tracked.get(keyId);
    if (known === undefined) return this.#open(minted);
    await known.opened;
    known.minted = minted;
    known.count++;
    known.untilUs = this.#dependencies.clock.nowUs();
    noteLimits(known.limits, minted.limits);
  }

  /** Writes the sums of minutes that are over until `signal` aborts. Never throws. */
  run(signal: AbortSignal): Promise<void> {
    return this.#sums.run(signal);
  }

  /** Writes the sums of minutes that are over, and forgets the keys. */
  sweep(): void {
    this.#sums.sweep();
  }

  /** Writes everything that is counted, and waits for it. */
  close(): Promise<void> {
    return this.#sums.close();
  }

  async #open(minted: MintedToken): Promise<void> {
    if (this.#sums.tracked.size >= keysMax)
      throw new EventplaneError("busy", "As many keys as one minute has room for make stream tokens. Try again later.");
    const { clock } = this.#dependencies;
    const at = clock.nowUs();
    const limits = new Map<string, JsonObject>();
    noteLimits(limits, minted.limits);
    const fact = this.#append({ minted, count: 1, sinceUs: at, untilUs: at, limits });
    const tracked: Tracked = {
      minted,
      opened: fact,
      windowFromMs: clock.monotonicMs(),
      sinceUs: at,
      untilUs: at,
      count: 0,
      limits: new Map(),
    };
    const { keyId } = minted.principal;
    this.#sums.tracked.set(keyId, tracked);
    try {
      await fact;
    } catch (error) {
      this.#sums.tracked.delete(keyId);
      throw error;
    }
  }

  #write(tracked: Tracked): Promise<void> {
    const { count, limits } = tracked;
    const writing = this.#append(tracked).catch((error: unknown) => {
      tracked.count += count;
      for (const [key, each] of limits) if (tracked.limits.size < limitsMax) tracked.limits.set(key, each);
      this.#dependencies.report(error);
    });
    tracked.count = 0;
    tracked.limits = new Map();
    tracked.windowFromMs = this.#dependencies.clock.monotonicMs();
    tracked.sinceUs = tracked.untilUs;
    return writing;
  }

  async #append({
    minted,
    count,
    sinceUs,
    untilUs,
    limits,
  }: Pick<Tracked, "minted" | "count" | "sinceUs" | "untilUs" | "limits">): Promise<void> {
    const { factory, log, clock, edge } = this.#dependencies;
    const { principal, ruling, requestId } = minted;
    const { tenantId, keyId } = principal;
    const at = formatUs(clock.nowUs());
    const stamp = stampOf({ principal, via: "http", requestId, ruling, edge, at });
    const spec = {
      key: keyId,
      count,
      since: formatUs(sinceUs),
      until: formatUs(untilUs),
      limits: [...limits.values()],
    };
    const type = "stream-token.minted";
    await log.append({ tenantId, items: [factory.systemFact({ tenantId, type, aggregateId: keyId, spec }, stamp)] });
  }
}

function noteLimits(known: Map<string, JsonObject>, { actions, types, part, origin }: StreamTokenLimits): void {
  const told: JsonObject = {
    actions: [...actions],
    ...(types === undefined ? {} : { types: [...types] }),
    ...(part as JsonObject), // texts only
    ...(origin === undefined ? {} : { origin }),
  };
  if (known.size < limitsMax) known.set(JSON.stringify(told), told);
}
