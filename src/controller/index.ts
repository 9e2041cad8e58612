export type {
  Aggregate,
  AnyAggregate,
  IntentConfig,
  IntentEnvelope,
  IntentMessage,
  MessageOf,
  SpecOf,
  StatusOf,
} from "./aggregate-types.js";
export type { Appending } from "./attempt.js";
export { changeTypes } from "./changes/change-fact.js";
export { ControllerChanges, type ControllerChangesOptions } from "./changes/controller-changes.js";
export { blocked, type DecisionOptions, done, pending, reject } from "./decisions.js";
export { type AggregateConfig, defineAggregate } from "./define-aggregate.js";
export { type App, type AppConfig, defineApp } from "./define-app.js";
export {
  type Controller,
  type ControllerConfig,
  defineController,
  type StatusOfController,
} from "./define-controller.js";
export { LookAgain, type LookAgainOptions, type LookEnd, type LookOptions, type LookResult } from "./look-again.js";
export { type LoadedResources, lookupName } from "./lookups.js";
export { type Reconciled, type ReconcileOptions, reconcile } from "./reconcile.js";
export type { ReconcileCall, Reconciler } from "./reconciler.js";
export type { DecisionChange } from "./redecide/decision-changes.js";
export type { RecordedEvent, RecordedLog, RecordedSince } from "./redecide/recorded-log.js";
export { type DecisionDifference, type Redecided, type RedecideOptions, redecide } from "./redecide/redecide.js";
export { ControllerRuntime, type ControllerRuntimeOptions } from "./runtime.js";
