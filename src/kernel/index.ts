export { compileSchema, type PatternEngine, type SchemaCheck, type SchemaProblem } from "./ajv.js";
export { type BackoffOptions, backoffMs } from "./backoff.js";
export { Breaker, type BreakerOptions } from "./breaker.js";
export { fields, i64be, sha256 } from "./bytes.js";
export { type CleanOptions, cleanFields, cleanText } from "./clean.js";
export { dataMarks } from "./data-marks.js";
export {
  assert,
  type ErrorCode,
  type ErrorDetails,
  EventplaneError,
  errorCodes,
  isEventplaneError,
  isRetryable,
} from "./errors.js";
export {
  EVENTPLANE_NS,
  type EventId,
  type IdSource,
  isUuid,
  PLATFORM_TENANT_ID,
  type Random,
  type SigningKeyId,
  systemIds,
  systemRandom,
  type TenantId,
  uuid5,
  uuid8,
  uuidBytes,
  uuidFromBytes,
  uuidVersion,
} from "./ids.js";
export type { InferJson } from "./infer-json.js";
export { type ScannedJson, type ScanOptions, scanJson, scanLargeJson, turnBytes } from "./json/index.js";
export type { JsonObject, JsonValue } from "./json-types.js";
export { limits } from "./limits.js";
export { LruMap } from "./lru.js";
export { type DataMark, excludes, type MarkedPlace, markedPlaces } from "./marked-places.js";
export { pointerToken } from "./pointer-token.js";
export type { Doorbell, Signer, Tier } from "./ports.js";
export { isSecretName, namesHolding, redactedValue } from "./redact.js";
export { admitSealed, isSealed, mayHoldSealed, type SealedAdmission, sealedPrefix } from "./sealed-form.js";
export { secretReferenceCharactersMax, secretReferenceFormat } from "./secret-reference.js";
export { type SseFrame, sseFrame, sseHeartbeat } from "./sse.js";
export { terminalSafe } from "./terminal.js";
export { TerminalError } from "./terminal-error.js";
export { type ThrownData, thrownData, thrownError } from "./thrown.js";
export { type Clock, formatUs, parseUs, systemClock } from "./time.js";
