export type { Appending, AttemptResult } from "./attempt.js";
export { ControllerRuntime, type ControllerRuntimeOptions, type ReconcileObservation } from "./runtime.js";
