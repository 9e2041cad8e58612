export { fields, i64be, sha256 } from "./bytes.js";
export { assert, errorCodes, EventplaneError, type ErrorCode, type ErrorDetails, isEventplaneError } from "./errors.js";
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
export type { JsonObject, JsonValue } from "./json-types.js";
export { limits } from "./limits.js";
export type { Doorbell, Signer, Tier } from "./ports.js";
export { type Clock, formatUs, parseUs, systemClock } from "./time.js";
