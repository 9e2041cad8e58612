/** What a context did so far, as plain data and as Prometheus reads it. */
import type { LogStatus } from "./event-log.js";
import type { OperationCounts } from "./operation.js";
import type { SourceStatus } from "./source.js";
import type { SubscriptionStatus } from "./subscription.js";

/** Counts of one context at one moment. */
export interface BusStatistics {
  readonly context: string;
  /** Publications accepted and refused. */
  readonly accepted: number;
  readonly refused: number;
  /** Delayed events that wait for their time; and accepted ones that could not be published when it came. */
  readonly delayed: number;
  readonly unpublished: number;
  /** Operations under way, and those that ended, by outcome. */
  readonly operations: Readonly<OperationCounts>;
  /** Events that wait for others to be handed out, in all contexts. */
  readonly waiting: number;
  /** Callbacks of the user that threw, in all contexts. */
  readonly callbacksFailed: number;
  /** Dead letters kept, and dropped for newer ones, in all contexts. */
  readonly deadLetters: { readonly kept: number; readonly dropped: number };
  /** Entries of the event log, in all contexts; undefined without one. */
  readonly log: LogStatus | undefined;
  /** Accepted events by topic; of more than 1,000 topics the rest is under `(other)`. */
  readonly topics: Readonly<Record<string, number>>;
  readonly subscriptions: Readonly<Record<string, SubscriptionStatus>>;
  readonly sources: Readonly<Record<string, SourceStatus>>;
}

interface Meter {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  /** Labels and value of each series. */
  readonly series: (statistics: BusStatistics) => readonly (readonly [Readonly<Record<string, string>>, number])[];
}

function perSubscription(value: (status: SubscriptionStatus) => number): Meter["series"] {
  return ({ subscriptions }) =>
    Object.entries(subscriptions).map(([subscription, status]) => [{ subscription }, value(status)]);
}

function perSource(value: (status: SourceStatus) => number): Meter["series"] {
  return ({ sources }) => Object.entries(sources).map(([source, status]) => [{ source }, value(status)]);
}

const outcomes = ["done", "failed", "dropped", "filtered"] as const;
const entryResults = ["written", "failed", "dropped"] as const;
const operationOutcomes = ["done", "failed", "abandoned"] as const;
const receptions = ["accepted", "unverified", "refused"] as const;

const meters: readonly Meter[] = [
  {
    name: "eventplane_bus_events_total",
    help: "Events accepted, by topic.",
    type: "counter",
    series: ({ topics }) => Object.entries(topics).map(([topic, count]) => [{ topic }, count]),
  },
  {
    name: "eventplane_bus_refused_total",
    help: "Publications refused.",
    type: "counter",
    series: ({ refused }) => [[{}, refused]],
  },
  {
    name: "eventplane_bus_delayed",
    help: "Delayed events that wait for their time.",
    type: "gauge",
    series: ({ delayed }) => [[{}, delayed]],
  },
  {
    name: "eventplane_bus_unpublished_total",
    help: "Events that were accepted and then could not be published.",
    type: "counter",
    series: ({ unpublished }) => [[{}, unpublished]],
  },
  {
    name: "eventplane_bus_operations_open",
    help: "Operations under way.",
    type: "gauge",
    series: ({ operations }) => [[{}, operations.open]],
  },
  {
    name: "eventplane_bus_operations_total",
    help: "Operations that ended, by how.",
    type: "counter",
    series: ({ operations }) => operationOutcomes.map((outcome) => [{ outcome }, operations[outcome]]),
  },
  {
    name: "eventplane_bus_deliveries_total",
    help: "Events that a subscription was given, by what became of them.",
    type: "counter",
    series: (statistics) =>
      outcomes.flatMap((outcome) =>
        perSubscription((status) => status[outcome])(statistics).map(
          ([labels, value]) => [{ ...labels, outcome }, value] as const,
        ),
      ),
  },
  {
    name: "eventplane_bus_attempts_failed_total",
    help: "Calls of handlers that threw, rejected or ran out of time.",
    type: "counter",
    series: perSubscription(({ attemptsFailed }) => attemptsFailed),
  },
  {
    name: "eventplane_bus_thread_restarts_total",
    help: "Threads of handlers that were started in place of lost ones.",
    type: "counter",
    series: perSubscription(({ threadRestarts }) => threadRestarts),
  },
  {
    name: "eventplane_bus_depth",
    help: "Events that wait for a subscription.",
    type: "gauge",
    series: perSubscription(({ depth }) => depth),
  },
  {
    name: "eventplane_bus_in_flight",
    help: "Calls of handlers under way, and events between two attempts.",
    type: "gauge",
    series: perSubscription(({ inFlight }) => inFlight),
  },
  {
    name: "eventplane_bus_breaker_open",
    help: "1 while a breaker holds calls of a handler back.",
    type: "gauge",
    series: perSubscription(({ isBreakerOpen }) => (isBreakerOpen ? 1 : 0)),
  },
  {
    name: "eventplane_bus_latency_seconds",
    help: "Duration of calls of a handler, by quantile, of one call in 16, of busy handlers in 64.",
    type: "gauge",
    series: ({ subscriptions }) =>
      Object.entries(subscriptions).flatMap(([subscription, { latency }]) =>
        latency === undefined
          ? []
          : ([
              [{ subscription, quantile: "0.5" }, latency.p50Ms / 1000],
              [{ subscription, quantile: "0.9" }, latency.p90Ms / 1000],
              [{ subscription, quantile: "0.99" }, latency.p99Ms / 1000],
            ] as const),
      ),
  },
  {
    name: "eventplane_bus_source_messages_total",
    help: "Messages of outside sources, by what became of them.",
    type: "counter",
    series: (statistics) =>
      receptions.flatMap((result) =>
        perSource((status) => status[result])(statistics).map(
          ([labels, value]) => [{ ...labels, result }, value] as const,
        ),
      ),
  },
  {
    name: "eventplane_bus_dead_letters",
    help: "Dead letters kept.",
    type: "gauge",
    series: ({ deadLetters }) => [[{}, deadLetters.kept]],
  },
  {
    name: "eventplane_bus_log_entries_total",
    help: "Entries of the event log, by what became of them.",
    type: "counter",
    series: ({ log }) => (log === undefined ? [] : entryResults.map((result) => [{ result }, log[result]] as const)),
  },
];

/** The statistics in the text format of Prometheus (0.0.4). Contexts are labels: give a tenant's context no telling name. */
export function prometheusText(statistics: readonly BusStatistics[]): string {
  return meters.map((meter) => meterText(meter, statistics)).join("");
}

function meterText({ name, help, type, series }: Meter, statistics: readonly BusStatistics[]): string {
  const lines = statistics.flatMap((one) =>
    series(one).map(([labels, value]) => `${name}{${labelText({ context: one.context, ...labels })}} ${value}\n`),
  );
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

/** Names of the bus are printable ASCII; only these two could end a label. */
function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`)
    .join(",");
}
