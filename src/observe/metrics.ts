/** Metrics for Prometheus under the names that the field knows. No label ever holds a tenant, a person or an id. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { type IntakeMetrics, intakeMetrics } from "./intake-metrics.js";
import { label } from "./label.js";
import { type RelayMetrics, relayMetrics } from "./relay-metrics.js";
import { type WebhookMetrics, webhookMetrics } from "./webhook-metrics.js";

/** How an offered event ended. */
export type AppendResult = "appended" | "repeated" | "conflict" | "refused" | "failed";
/** How a reconcile ended; the words of controller-runtime, and our own for a time-out and a dead letter. */
export type ReconcileResult = "success" | "requeue_after" | "conflict" | "error" | "timeout" | "dead_letter";

/** How an attempt of a worker ended. */
export type EffectMetricResult =
  | "succeeded"
  | "failed"
  | "retried"
  | "held"
  | "dead_letter"
  | "settled"
  | "lost"
  | "deferred";

/** What became of a snapshot of a long stream. */
export type SnapshotMetricResult =
  | "used"
  | "taken"
  | "failed"
  | "refused_fold"
  | "refused_key"
  | "refused_signature"
  | "refused_log";

/** What the parts of a process report. Methods never throw; durations are in seconds. */
export interface Metrics extends IntakeMetrics, WebhookMetrics, RelayMetrics {
  /** One append call to the store took so long. */
  appendCall(seconds: number): void;
  /** Events that were offered; `repeated` also counts an idempotent replay, `conflict` a conflict. */
  eventsAppended(labels: { readonly kind: string; readonly result: AppendResult }, count: number): void;
  /** One reconcile ended; `error`, `timeout` and `dead_letter` count as errors too. */
  reconciled(labels: { readonly controller: string; readonly result: ReconcileResult }, seconds: number): void;
  /** Threads that can run controllers changed to this number. */
  controllerThreads(ready: number): void;
  /** A thread of the controllers was lost. */
  controllerThreadLost(reason: "timeout" | "memory" | "crash"): void;
  /** One snapshot was used, taken or refused. */
  snapshot(result: SnapshotMetricResult): void;
  /** One attempt of a worker ended, with what was written of it. */
  effectEnded(labels: { readonly worker: string; readonly result: EffectMetricResult }, seconds: number): void;
  /** Calls of a worker under way in this process. */
  effectsActive(active: { readonly worker: string; readonly calls: number }): void;
  /** Whether a worker's breaker holds calls back. */
  effectBreaker(breaker: { readonly worker: string; readonly isOpen: boolean }): void;
  /** Effects of all tenants that wait for somebody's decision; all of them, those that are not named count 0. */
  effectsStanding(
    standing: readonly { readonly worker: string; readonly state: "held" | "dead"; readonly count: number }[],
  ): void;
  /** Dead letters of all tenants by component; all of them, those that are not named count 0. */
  deadLetters(standing: readonly { readonly component: string; readonly count: number }[]): void;
  /** What came of a slice of a replay, for its target. */
  replayed(target: string, results: Readonly<Record<string, number>>): void;
  /** What waits in a queue now, and how long the oldest entry has. */
  workQueue(queue: { readonly name: string; readonly depth: number; readonly oldestSeconds: number }): void;
  /** One HTTP request was answered. `route` is the route's template, never the path. */
  httpRequest(
    labels: { readonly route: string; readonly method: string; readonly status: number },
    seconds: number,
  ): void;
  /** Open SSE connections changed by this number. */
  sseConnections(change: number): void;
  /** A subscriber was cut off. */
  subscriberCut(reason: string): void;
  /** A credential was refused: `unauthenticated`, or unseen as `rate_limited`. */
  credentialRefused(code: string): void;
  /** A limit was reached and somebody refused; `code` names the limit. */
  limitReached(code: string): void;
  /** What is left of limits was asked for, and it took so long. */
  limitsLeased(seconds: number, result: "answered" | "failed"): void;
  /** A spec was refused, because this rule of the secrets scan found something in it. */
  secretRefused(rule: string): void;
  /** What became of a delivery of a source: `created`, `repeated`, `nothing`, or the code of its refusal. */
  delivery(labels: { readonly source: string; readonly result: string }): void;
  /** How far a projection is behind, over all tenants. */
  projectionLag(lag: { readonly projection: string; readonly events: number; readonly seconds: number }): void;
  /** All of it in the text format of Prometheus, with the metrics of the process. */
  text(): Promise<string>;
  /** MIME type of {@link Metrics.text}. */
  readonly contentType: string;
}

const appendBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const reconcileBuckets = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];
const effectBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const httpBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const failedReconciles: ReadonlySet<ReconcileResult> = new Set(["error", "timeout", "dead_letter"]);

/** Makes the metrics of one process, in a registry of their own. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const meters = {
    ...storeMeters(registry),
    ...controllerMeters(registry),
    ...workerMeters(registry),
    ...edgeMeters(registry),
  };
  return {
    appendCall: (seconds) => meters.appendDuration.observe(seconds),
    eventsAppended: ({ kind, result }, count) => {
      meters.appended.inc({ kind: label(kind), result }, count);
      if (result === "conflict") meters.conflicts.inc(count);
      if (result === "repeated") meters.replays.inc(count);
    },
    reconciled: ({ controller, result }, seconds) => {
      const name = label(controller);
      meters.reconciles.inc({ controller: name, result });
      meters.reconcileTime.observe({ controller: name }, seconds);
      if (failedReconciles.has(result)) meters.reconcileErrors.inc({ controller: name, result });
    },
    controllerThreads: (ready) => meters.threads.set(ready),
    controllerThreadLost: (reason) => meters.threadsLost.inc({ reason }),
    snapshot: (result) => meters.snapshots.inc({ result }),
    effectEnded: ({ worker, result }, seconds) => {
      meters.effects.inc({ worker: label(worker), result });
      meters.effectTime.observe({ worker: label(worker) }, seconds);
    },
    effectsActive: ({ worker, calls }) => meters.effectsActive.set({ worker: label(worker) }, calls),
    effectBreaker: ({ worker, isOpen }) => meters.breakers.set({ worker: label(worker) }, isOpen ? 1 : 0),
    effectsStanding: (standing) => {
      meters.standing.reset();
      for (const { worker, state, count } of standing) meters.standing.set({ worker: label(worker), state }, count);
    },
    deadLetters: (standing) => {
      meters.deadLetters.reset();
      for (const { component, count } of standing) meters.deadLetters.set({ component: label(component) }, count);
    },
    replayed: (target, results) => {
      for (const [result, count] of Object.entries(results))
        meters.replayResults.inc({ target: label(target), result: label(result) }, count);
    },
    workQueue: ({ name, depth, oldestSeconds }) => {
      meters.queueDepth.set({ name: label(name) }, depth);
      meters.queueAge.set({ name: label(name) }, oldestSeconds);
    },
    httpRequest: ({ route, method, status }, seconds) =>
      meters.httpDuration.observe(
        { route: label(route), method: methodLabel(method), status: String(status) },
        seconds,
      ),
    sseConnections: (change) => meters.sse.inc(change),
    subscriberCut: (reason) => meters.cuts.inc({ reason: label(reason) }),
    credentialRefused: (code) => meters.credentials.inc({ code: label(code) }),
    limitReached: (code) => meters.overLimit.inc({ code: label(code) }),
    limitsLeased: (seconds, result) => meters.leases.observe({ result }, seconds),
    secretRefused: (rule) => meters.secrets.inc({ rule: label(rule) }),
    delivery: ({ source, result }) => meters.deliveries.inc({ source: label(source), result: label(result) }),
    projectionLag: ({ projection, events, seconds }) => {
      meters.lagEvents.set({ projection: label(projection) }, events);
      meters.lagSeconds.set({ projection: label(projection) }, seconds);
    },
    ...intakeMetrics(registry),
    ...webhookMetrics(registry),
    ...relayMetrics(registry),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function storeMeters(registry: Registry) {
  const registers = [registry];
  return {
    appendDuration: new Histogram({
      name: "eventplane_append_duration_seconds",
      help: "Duration of one append call to the store.",
      buckets: appendBuckets,
      registers,
    }),
    appended: new Counter({
      name: "eventplane_events_appended_total",
      help: "Events offered to the store, by kind and by what became of them.",
      labelNames: ["kind", "result"],
      registers,
    }),
    conflicts: new Counter({
      name: "eventplane_append_conflicts_total",
      help: "Events not appended because their stream had moved.",
      registers,
    }),
    replays: new Counter({
      name: "eventplane_idempotent_replays_total",
      help: "Events offered again with the same content and answered with their first receipt.",
      registers,
    }),
    lagEvents: new Gauge({
      name: "eventplane_projection_lag_events",
      help: "Events that a projection has still to fold.",
      labelNames: ["projection"],
      registers,
    }),
    lagSeconds: new Gauge({
      name: "eventplane_projection_lag_seconds",
      help: "Age of the oldest event that a projection has still to fold.",
      labelNames: ["projection"],
      registers,
    }),
  };
}

function controllerMeters(registry: Registry) {
  const registers = [registry];
  return {
    reconciles: new Counter({
      name: "eventplane_reconcile_total",
      help: "Reconciles, by controller and result.",
      labelNames: ["controller", "result"],
      registers,
    }),
    reconcileErrors: new Counter({
      name: "eventplane_reconcile_errors_total",
      help: "Reconciles that failed, by controller and result.",
      labelNames: ["controller", "result"],
      registers,
    }),
    reconcileTime: new Histogram({
      name: "eventplane_reconcile_time_seconds",
      help: "Duration of one reconcile with its append.",
      labelNames: ["controller"],
      buckets: reconcileBuckets,
      registers,
    }),
    threads: new Gauge({
      name: "eventplane_controller_threads",
      help: "Threads of this process that can run controllers; 0 also where they run in its main thread.",
      registers,
    }),
    threadsLost: new Counter({
      name: "eventplane_controller_threads_lost_total",
      help: "Threads that controllers have cost, by reason.",
      labelNames: ["reason"],
      registers,
    }),
    snapshots: new Counter({
      name: "eventplane_snapshots_total",
      help: "Snapshots of long streams, by what became of them.",
      labelNames: ["result"],
      registers,
    }),
    queueDepth: new Gauge({
      name: "eventplane_workqueue_depth",
      help: "Entries of a work queue that are due.",
      labelNames: ["name"],
      registers,
    }),
    queueAge: new Gauge({
      name: "eventplane_workqueue_oldest_seconds",
      help: "How long the oldest due entry of a work queue has waited.",
      labelNames: ["name"],
      registers,
    }),
  };
}

function workerMeters(registry: Registry) {
  const registers = [registry];
  return {
    deadLetters: new Gauge({
      name: "eventplane_dead_letters",
      help: "Dead letters of all tenants that wait for somebody's decision, by component.",
      labelNames: ["component"],
      registers,
    }),
    replayResults: new Counter({
      name: "eventplane_replay_results_total",
      help: "What came of history that replays gave to a consumer, by target and result.",
      labelNames: ["target", "result"],
      registers,
    }),
    effects: new Counter({
      name: "eventplane_effect_total",
      help: "Attempts of workers, by worker and result.",
      labelNames: ["worker", "result"],
      registers,
    }),
    effectTime: new Histogram({
      name: "eventplane_effect_time_seconds",
      help: "Duration of one attempt of a worker, with its call and what was written of it.",
      labelNames: ["worker"],
      buckets: effectBuckets,
      registers,
    }),
    effectsActive: new Gauge({
      name: "eventplane_effect_active",
      help: "Attempts of workers under way in this process.",
      labelNames: ["worker"],
      registers,
    }),
    breakers: new Gauge({
      name: "eventplane_effect_breaker_open",
      help: "1 while a worker's breaker holds calls back in this process.",
      labelNames: ["worker"],
      registers,
    }),
    standing: new Gauge({
      name: "eventplane_effect_standing",
      help: "Effects of all tenants that wait for somebody's decision: held as unknown, or dead letters.",
      labelNames: ["worker", "state"],
      registers,
    }),
  };
}

function edgeMeters(registry: Registry) {
  const registers = [registry];
  return {
    httpDuration: new Histogram({
      name: "eventplane_http_request_duration_seconds",
      help: "Duration of HTTP requests, by route template, method and status.",
      labelNames: ["route", "method", "status"],
      buckets: httpBuckets,
      registers,
    }),
    sse: new Gauge({
      name: "eventplane_sse_connections",
      help: "Open SSE connections.",
      registers,
    }),
    deliveries: new Counter({
      name: "eventplane_source_deliveries_total",
      help: "Deliveries of sources, by source and by what became of them.",
      labelNames: ["source", "result"],
      registers,
    }),
    overLimit: new Counter({
      name: "eventplane_ratelimit_over_limit_total",
      help: "Requests and publishes that were refused because a limit was reached",
      labelNames: ["code"],
      registers,
    }),
    leases: new Histogram({
      name: "eventplane_ratelimit_lease_duration_seconds",
      help: "Calls that lease tokens of limits from the database",
      labelNames: ["result"],
      buckets: appendBuckets,
      registers,
    }),
    credentials: new Counter({
      name: "eventplane_credentials_refused_total",
      help: "Credentials that did not open, or that came after too many wrong ones, by code.",
      labelNames: ["code"],
      registers,
    }),
    secrets: new Counter({
      name: "eventplane_secrets_refused_total",
      help: "Specs refused because a rule of the secrets scan found something in them, by rule.",
      labelNames: ["rule"],
      registers,
    }),
    cuts: new Counter({
      name: "eventplane_subscriber_cut_total",
      help: "Subscribers that were cut off, by reason.",
      labelNames: ["reason"],
      registers,
    }),
  };
}

const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

function methodLabel(method: string): string {
  return methods.has(method) ? method : "OTHER";
}
