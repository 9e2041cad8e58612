/** Copies what publishers say into data of the bus's own: what one handler, or the publisher later, does to an event cannot reach another handler. */
import { EventplaneError } from "../kernel/index.js";
import { busLimits } from "./bus-limits.js";
import type { DataShapes } from "./data-shapes.js";

const { payloadDepthMax, payloadPartsMax } = busLimits;

/** Of the copy that is made now. */
let partsLeft = 0;

/**
 * Copies plain data and freezes the copy, with everything in it. Each member of the value is read once, whatever getters or a proxy would answer the next
 * time; symbols, hidden (not enumerable) members, and what an array has beside its elements are no data, and are left out. The value itself is left as it is.
 *
 * `shapes` are those of its place: what was seen there before is copied in half the time.
 *
 * @throws EventplaneError `request_invalid` when it holds anything but plain objects, arrays, texts, numbers, booleans, null and
 * undefined, or nests deeper than 32 levels (or in a circle); `payload_too_large` beyond 100,000 parts; what a getter throws
 */
export function frozenCopy(value: unknown, shapes?: DataShapes): unknown {
  const outer = partsLeft;
  partsLeft = payloadPartsMax;
  try {
    return copyPart(value, payloadDepthMax, isPrototypeClean() ? shapes : undefined);
  } finally {
    // A getter may publish: the copy around it goes on.
    partsLeft = outer;
  }
}

/** Whether nobody has put names on the prototype of all objects: shapes would take them for names of the objects. */
function isPrototypeClean(): boolean {
  for (const _ in Object.prototype) return false;
  return true;
}

/** The usual ones first: each question costs as much as reading the part. */
function copyPart(part: unknown, depthLeft: number, shapes: DataShapes | undefined): unknown {
  if (typeof part === "string" || typeof part === "number" || typeof part === "boolean") return part;
  if (typeof part === "object") return part === null ? null : copyObject(part, depthLeft, shapes);
  if (part === undefined) return undefined;
  throw noData();
}

function copyObject(value: object, depthLeft: number, shapes: DataShapes | undefined): object {
  if (depthLeft === 0) throw tooDeep();
  const isArray = Array.isArray(value);
  const shape = isArray ? undefined : shapes?.of(value);
  if (shape !== undefined) {
    take(shape.names.length);
    const copy = shape.copy(value, depthLeft - 1, shape.places, copyPart);
    if (copy !== undefined) return copy;
    // Of another prototype: it is copied anew, and counted then.
    partsLeft += shape.names.length;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (isArray && prototype === Array.prototype) return copyElements(value, depthLeft - 1, shapes?.elements);
  if (isArray) throw noData();
  if (prototype === Object.prototype) return copyMembers(value, {}, depthLeft - 1);
  if (prototype === null) return copyMembers(value, Object.create(null) as object, depthLeft - 1);
  throw noData();
}

function copyMembers(value: object, copy: object, depthLeft: number): object {
  const names = Object.keys(value);
  take(names.length);
  const from = value as Readonly<Record<string, unknown>>; // members of an object by its own names
  const to = copy as Record<string, unknown>; // as above
  for (const name of names) {
    const part = copyPart(from[name], depthLeft, undefined);
    // Assigning to it would set the prototype.
    if (name === "__proto__") Object.defineProperty(to, name, { value: part, enumerable: true });
    else to[name] = part;
  }
  return Object.freeze(copy);
}

/** An element that is not there is undefined in the copy. */
function copyElements(value: readonly unknown[], depthLeft: number, shapes: DataShapes | undefined): object {
  const { length } = value;
  take(length);
  const copy: unknown[] = [];
  for (let at = 0; at < length; at++) copy.push(copyPart(value[at], depthLeft, shapes));
  return Object.freeze(copy);
}

function take(parts: number): void {
  // Also when a proxy says that its length is no number, or negative.
  if (!(parts >= 0 && parts <= partsLeft))
    throw new EventplaneError("payload_too_large", "A payload has too many parts.");
  partsLeft -= parts;
}

function tooDeep(): EventplaneError {
  return new EventplaneError("request_invalid", "A payload nests too deep, or in a circle.");
}

function noData(): EventplaneError {
  return new EventplaneError(
    "request_invalid",
    "A payload is plain data: no functions, bigints, dates, maps, sets, buffers or instances of classes.",
  );
}
