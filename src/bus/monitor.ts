/** Looks at a context again and again, and says when something is out of the ordinary. */
import type { BusStatistics } from "./statistics.js";

/** What is out of the ordinary. */
export interface MonitorBounds {
  /** More events wait for a subscription. */
  readonly depthAbove?: number;
  /** One call in a hundred takes longer, since the subscription began. */
  readonly p99AboveMs?: number;
  /** No event was accepted in the context for so long. */
  readonly silentForMs?: number;
}

/** Something out of the ordinary. It is told when it begins, and again only after it has ended. */
export interface Anomaly {
  readonly kind: "depth" | "latency" | "silence";
  readonly context: string;
  /** Not of `silence`. */
  readonly subscription?: string;
  /** Events, or milliseconds. */
  readonly value: number;
  readonly bound: number;
}

/** Options of a monitor. */
export interface MonitorOptions extends MonitorBounds {
  /** Between two looks; 1,000 by default, from 10 on. */
  readonly everyMs?: number;
  /** Gets the statistics of each look, for metrics of your own. */
  readonly onStatistics?: (statistics: BusStatistics) => unknown;
  readonly onAnomaly?: (anomaly: Anomaly) => unknown;
}

/** Finds anomalies in one look after the other. */
export class AnomalyFinder {
  readonly #bounds: MonitorBounds;
  #standing = new Set<string>();
  #accepted = -1;
  #acceptedAtMs = 0;

  constructor(bounds: MonitorBounds) {
    this.#bounds = bounds;
  }

  /** The anomalies that began since the last look. */
  find(statistics: BusStatistics, nowMs: number): readonly Anomaly[] {
    if (statistics.accepted !== this.#accepted) {
      this.#accepted = statistics.accepted;
      this.#acceptedAtMs = nowMs;
    }
    const standing = [
      ...this.#ofSubscriptions(statistics),
      ...this.#silence(statistics.context, nowMs - this.#acceptedAtMs),
    ];
    const before = this.#standing;
    this.#standing = new Set(standing.map(keyOf));
    return standing.filter((anomaly) => !before.has(keyOf(anomaly)));
  }

  #ofSubscriptions({ context, subscriptions }: BusStatistics): readonly Anomaly[] {
    const { depthAbove = Number.POSITIVE_INFINITY, p99AboveMs = Number.POSITIVE_INFINITY } = this.#bounds;
    return Object.entries(subscriptions).flatMap(([subscription, { depth, latency }]) => {
      const found: Anomaly[] = [];
      if (depth > depthAbove) found.push({ kind: "depth", context, subscription, value: depth, bound: depthAbove });
      const p99Ms = latency?.p99Ms ?? 0;
      if (p99Ms > p99AboveMs) found.push({ kind: "latency", context, subscription, value: p99Ms, bound: p99AboveMs });
      return found;
    });
  }

  #silence(context: string, value: number): readonly Anomaly[] {
    const { silentForMs: bound } = this.#bounds;
    return bound === undefined || value < bound ? [] : [{ kind: "silence", context, value, bound }];
  }
}

function keyOf({ kind, subscription = "" }: Anomaly): string {
  return `${kind} ${subscription}`;
}
