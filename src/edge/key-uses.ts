/**
 * On which days keys were used, as facts in the platform's log: a key is told of once a day and edge, and all that were first
 * used in the same minute are one fact. Nobody waits for it. A key that is used a million times a day costs a look into a set.
 */
import type { EventFactory } from "../event/index.js";
import { type Clock, formatUs, type IdSource, PLATFORM_TENANT_ID } from "../kernel/index.js";
import { basePolicySet } from "./authz/policy-set.js";
import type { EventLog } from "./dependencies.js";
import type { PlatformFold } from "./platform/fold.js";
import { stampOf } from "./stamp.js";

/** What the uses of keys need. */
export interface KeyUsesDependencies {
  readonly factory: EventFactory;
  readonly log: EventLog;
  readonly platform: PlatformFold;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly edge: string;
  /** Hears of uses that could not be written; they are written with the next. */
  readonly report: (failure: unknown) => void;
}

const writeMs = 60_000;
const dayUs = 86_400_000_000;
const dayCharacters = 10;
/** Keys of one fact, so that it stays far below the bound of an event. */
const keysMax = 500;

/** Remembers which keys were used today, and writes it. */
export class KeyUses {
  readonly #dependencies: KeyUsesDependencies;
  #day = 0;
  /** Used today, as far as this edge knows. */
  #used = new Set<string>();
  #unwritten = new Set<string>();

  constructor(dependencies: KeyUsesDependencies) {
    this.#dependencies = dependencies;
  }

  /** A key was used. Never throws, never waits. */
  note(keyId: string): void {
    const day = Math.floor(this.#dependencies.clock.nowUs() / dayUs);
    if (day !== this.#day) {
      this.#day = day;
      this.#used = new Set();
    }
    if (this.#used.has(keyId)) return;
    this.#used.add(keyId);
    this.#unwritten.add(keyId);
  }

  /** Writes what was used, once a minute, until `signal` aborts; then a last time. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#dependencies.clock.sleep(writeMs, signal).catch(() => undefined);
      await this.write();
    }
  }

  /** Writes what no other edge has told yet. Never throws. */
  async write(): Promise<void> {
    const { platform, clock, report } = this.#dependencies;
    const day = formatUs(clock.nowUs()).slice(0, dayCharacters);
    const given = [...this.#unwritten];
    this.#unwritten = new Set();
    const untold = given.filter((keyId) => (platform.state.key(keyId)?.lastUsedOn ?? "") < day);
    for (let from = 0; from < untold.length; from += keysMax) {
      const keys = untold.slice(from, from + keysMax);
      try {
        await this.#append(day, keys);
      } catch (error) {
        for (const keyId of keys) this.#unwritten.add(keyId);
        report(error);
      }
    }
  }

  async #append(day: string, keys: readonly string[]): Promise<void> {
    const { factory, log, clock, ids, edge } = this.#dependencies;
    const requestId = ids.uuid7();
    const stamp = stampOf({
      principal: { type: "system", id: "edge" },
      via: "system",
      requestId,
      ruling: { rulingId: requestId, policySetHash: basePolicySet.hash, policies: [] },
      edge,
      at: formatUs(clock.nowUs()),
    });
    const fact = {
      tenantId: PLATFORM_TENANT_ID,
      type: "key-use.recorded",
      aggregateId: "keys",
      spec: { day, keys },
    } as const;
    await log.append({ tenantId: PLATFORM_TENANT_ID, items: [factory.systemFact(fact, stamp)] });
  }
}
