/** Takes the statistics of a context, once or again and again. */
import { EventplaneError } from "../kernel/index.js";
import type { BusShared } from "./bus-options.js";
import { callBack } from "./callback.js";
import { AnomalyFinder, type MonitorBounds, type MonitorOptions } from "./monitor.js";
import type { Source } from "./source.js";
import type { Space } from "./space.js";
import type { BusStatistics } from "./statistics.js";
import { statusOf } from "./subscription.js";
import { whole } from "./subscription-options.js";

/** What is looked at. */
export interface Observed {
  readonly space: Space;
  readonly shared: BusShared;
  readonly sources: ReadonlyMap<string, Source>;
}

/** The statistics at this moment. */
export function statisticsOf({ space, shared, sources }: Observed): BusStatistics {
  const { handOut, deadLetters, counters, log } = shared;
  return {
    context: space.name,
    ...space.counters,
    operations: { ...space.counters.operations },
    delayed: space.delayed.size,
    waiting: handOut.waiting,
    callbacksFailed: counters.callbacksFailed,
    deadLetters: { kept: deadLetters.size, dropped: deadLetters.dropped },
    log: log?.status(),
    topics: Object.fromEntries([...space.topics.counts].map(([topic, { accepted }]) => [topic, accepted])),
    subscriptions: Object.fromEntries(space.registry.all.map(({ consumer }) => [consumer.name, statusOf(consumer)])),
    sources: Object.fromEntries([...sources.values()].map((source) => [source.name, source.status()])),
  };
}

const everyMsDefault = 1_000;
const everyMsRange = { from: 10, to: 86_400_000 };

/** Looks now and then again and again. Throws `config_invalid`. @returns what ends it */
export function startMonitor(options: MonitorOptions, observed: Observed): () => void {
  const everyMs = whole("everyMs", options.everyMs ?? everyMsDefault, everyMsRange);
  assertBounds(options);
  const finder = new AnomalyFinder(options);
  const { wheel, clock, counters, log, correlation } = observed.shared;
  // The wheel turns in the scope of whoever began a wait last.
  const begin = (): void => (correlation === undefined ? look() : correlation.outside(look));
  let timer = wheel.after(0, begin);
  // A callback that fails must not end the looking; the count says that it did.
  const tell = (call: () => unknown): void => callBack(call, () => void counters.callbacksFailed++);
  function look(): void {
    if (observed.space.isClosed) return;
    const statistics = statisticsOf(observed);
    tell(() => options.onStatistics?.(statistics));
    for (const anomaly of finder.find(statistics, clock.monotonicMs())) {
      log?.happened({ level: "warn", message: "anomaly", fields: { ...anomaly } });
      tell(() => options.onAnomaly?.(anomaly));
    }
    timer = wheel.after(everyMs, begin);
  }
  return () => void wheel.cancel(timer);
}

/** A bound that is no number would never be exceeded, and nobody would see it. */
function assertBounds({ depthAbove = 0, p99AboveMs = 0, silentForMs = 0 }: MonitorBounds): void {
  for (const [name, bound] of Object.entries({ depthAbove, p99AboveMs, silentForMs }))
    if (!(bound >= 0)) throw new EventplaneError("config_invalid", `The option ${name} is a number from 0.`);
}
