/** Freezes payloads: what one handler, or the publisher later, does to an event cannot reach another handler. */
import { EventplaneError } from "../kernel/errors.js";
import { busLimits } from "./bus-limits.js";

const { payloadDepthMax, payloadPartsMax } = busLimits;

/**
 * Freezes a value with everything in it, and gives it back.
 *
 * @throws EventplaneError `request_invalid` when it holds anything but plain objects, arrays, texts, numbers, booleans, null and
 * undefined, or nests deeper than 32 levels (or in a circle); `payload_too_large` beyond 100,000 parts. Some parts may be frozen then.
 */
export function freezeData(value: unknown): unknown {
  if (typeof value === "object" && value !== null) freezeObject(value, payloadDepthMax, 0);
  else if (typeof value === "function" || typeof value === "symbol" || typeof value === "bigint") throw noData();
  return value;
}

/** @returns the parts seen so far */
function freezeObject(value: object, depthLeft: number, partsBefore: number): number {
  if (depthLeft === 0) throw new EventplaneError("request_invalid", "A payload nests too deep, or in a circle.");
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null) throw noData();
  // Freezing before looking is a third of the cost of looking before freezing.
  Object.freeze(value);
  let parts = partsBefore;
  for (const name in value) {
    // Members of an object by its own names.
    const part = (value as Readonly<Record<string, unknown>>)[name];
    parts++;
    // The usual ones first: each question costs as much as reading the part.
    if (typeof part === "string" || typeof part === "number" || typeof part === "boolean") continue;
    if (typeof part === "object" && part !== null) parts = freezeObject(part, depthLeft - 1, parts);
    else if (typeof part === "function" || typeof part === "symbol" || typeof part === "bigint") throw noData();
  }
  if (parts > payloadPartsMax) throw new EventplaneError("payload_too_large", "A payload has too many parts.");
  return parts;
}

function noData(): EventplaneError {
  return new EventplaneError(
    "request_invalid",
    "A payload is plain data: no functions, bigints, dates, maps, sets, buffers or instances of classes.",
  );
}
