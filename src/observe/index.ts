export { createLogger, type LogFields, type Logger, type LoggerOptions, type LogLevel } from "./logger.js";
export { type AppendResult, createMetrics, type Metrics, type ReconcileResult } from "./metrics.js";
