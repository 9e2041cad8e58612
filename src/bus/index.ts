export type { BusEvent, EventOf, PublishOptions } from "./accepted-event.js";
export type { AuthorizationOptions, PublishRequest, SubscribeRequest } from "./authorization.js";
export type { BusContext, Handler, PatternsOf } from "./bus-context.js";
export type { BusOptions } from "./bus-options.js";
export type { DeliveryFailure } from "./consumer-parts.js";
export type { SubscriptionDefinition } from "./context-subscriptions.js";
export type { CorrelationScope } from "./correlation.js";
export { type DeadLetter, type DeadLetterStore, MemoryDeadLetters, type NewDeadLetter } from "./dead-letter.js";
export type { DeadLetterFilter, DeadLetters, RedriveReport } from "./dead-letters.js";
export type { DelayedEvent, DelayedOutcome, Unpublished } from "./delayed-events.js";
export type { HandlerContext } from "./delivery.js";
export type { Emitter, EmitterDefaults } from "./emitter.js";
export { EventBus } from "./event-bus.js";
export { type EventJson, readEvent } from "./event-json.js";
export type { LogOptions, LogStatus } from "./event-log.js";
export type { EventLogFields, EventLogger, EventLogLevel } from "./event-logger.js";
export type { BusStream, StreamOptions } from "./event-stream.js";
export type { ExportFormat } from "./export.js";
export { FileDeadLetters } from "./file-dead-letters.js";
export { FileLog, type FileLogOptions, type FileLogStatus } from "./file-log.js";
export {
  type Aggregate,
  aggregate,
  counter,
  type FoldOptions,
  fold,
  groupBy,
  type KeyedFold,
  type KeyOption,
  latest,
  type SingleFold,
  type StepOptions,
} from "./folds.js";
export type { HistoryFilter } from "./history.js";
export type { KeptError } from "./kept-error.js";
export type { Latency } from "./latency-histogram.js";
export type { LogFileBounds } from "./log-files.js";
export type { Anomaly, MonitorBounds, MonitorOptions } from "./monitor.js";
export {
  type Operation,
  type OperationCounts,
  type OperationEnded,
  type OperationOptions,
  type OperationOutcome,
  type OperationStarted,
  type OperationTopics,
  type OperationUpdated,
  operationTopics,
} from "./operation.js";
export type { PatternOf, Takes, TopicMap, TopicOf, TopicsTaken } from "./pattern.js";
export { type PayloadFactory, payloadFactory } from "./payload-factory.js";
export type { PerformanceReport, SubscriptionPerformance, TopicPerformance } from "./performance.js";
export {
  type BatchOptions,
  type Pipeline,
  type PipelineEnd,
  type PipelineFailure,
  type PipelineStatus,
  pipeline,
  type RunningPipeline,
  type SinkOptions,
} from "./pipeline.js";
export type { Priority } from "./priority.js";
export type { BatchItem, DelayOptions, OperationOf, Publisher } from "./publisher.js";
export type { RateLimit } from "./rate-limiter.js";
export type { RedactionOptions } from "./redaction.js";
export type { HandlerOutcome, OutcomeKind, SettledEvent } from "./settlement.js";
export type { Source, SourceOptions, SourceStatus } from "./source.js";
export { type SseOptions, sse, sseHeaders } from "./sse-stream.js";
export type { StandardIssue, StandardResult, StandardSchema } from "./standard-schema.js";
export { type BusStatistics, prometheusText } from "./statistics.js";
export type { Subscription, SubscriptionStatus } from "./subscription.js";
export type { OverflowPolicy, SubscriptionOptions } from "./subscription-options.js";
export type { ThreadHandler } from "./threads/thread-handler.js";
export { type Topic, type TopicOptions, topic, type Upcaster } from "./topic.js";
export {
  type Covered,
  ed25519Verifier,
  hmacVerifier,
  type SourceMessage,
  signedBytes,
  type Verifier,
} from "./verifiers.js";
