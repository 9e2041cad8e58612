/**
 * JSON Merge Patch, RFC 7396, without changing what it is given.
 */
import { EventplaneError, type JsonObject, type JsonValue } from "../kernel/index.js";

/** True for a JSON object; arrays and null are none. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The target with the patch applied (RFC 7396 §2). Subtrees that the patch does not name are shared with the target.
 *
 * @throws EventplaneError `event_corrupt` for a member `__proto__`, which no border lets in
 */
export function mergePatch(target: JsonValue | undefined, patch: JsonValue): JsonValue {
  return isJsonObject(patch) ? mergeObject(target, patch) : patch;
}

/** {@link mergePatch} of an object patch, whose result is always an object. */
export function mergeObject(target: JsonValue | undefined, patch: JsonObject): JsonObject {
  const result: Record<string, JsonValue> = isJsonObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (key === "__proto__") throw new EventplaneError("event_corrupt", "A stored JSON object has a member __proto__.");
    if (value === null) delete result[key];
    else result[key] = mergePatch(Object.hasOwn(result, key) ? result[key] : undefined, value);
  }
  return result;
}

/** Freezes the value and all below it that is not frozen yet, and returns it. */
export function deepFreeze<Value>(value: Value): Value {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
