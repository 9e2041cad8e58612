export { defineWorker, type Worker, type WorkerConfig } from "./define-worker.js";
export { misfitOf } from "./outcome.js";
export { WorkerRuntime, type WorkerRuntimeOptions } from "./runtime.js";
export { TryAgainError } from "./try-again-error.js";
