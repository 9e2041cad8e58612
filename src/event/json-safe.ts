/**
 * What a controller hands over must be JSON and nothing else, or hash and fold would see different things.
 */
import { limits } from "../kernel/index.js";

const forbiddenKeys: readonly string[] = ["__proto__", "constructor", "prototype"];
const loneSurrogate = /\p{Surrogate}/u;

/**
 * Where a value is not plain JSON of ours, and why; undefined when it is. Members that are `undefined` count as absent.
 */
export function jsonProblem(value: unknown, pointer = "", depth = 1): string | undefined {
  if (value === null || typeof value === "boolean") return undefined;
  if (typeof value === "string") return stringProblem(value, pointer);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return `${pointer || "/"} is not a finite number`;
    return Number.isInteger(value) && !Number.isSafeInteger(value)
      ? `${pointer || "/"} is too large a whole number`
      : undefined;
  }
  if (typeof value !== "object") return `${pointer || "/"} is a ${typeof value}, which JSON does not have`;
  if (depth > limits.jsonDepthMax) return `${pointer} lies deeper than ${limits.jsonDepthMax} levels`;
  if (Array.isArray(value)) {
    return first(value.keys(), (index) => jsonProblem(value[index], `${pointer}/${index}`, depth + 1));
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return `${pointer || "/"} is not a plain object`;
  return first(Object.entries(value), ([key, member]) => {
    if (forbiddenKeys.includes(key)) return `${pointer} has a member ${key}`;
    if (member === undefined) return undefined;
    return stringProblem(key, pointer) ?? jsonProblem(member, `${pointer}/${key}`, depth + 1);
  });
}

function stringProblem(text: string, pointer: string): string | undefined {
  if (text.includes("\u0000")) return `${pointer || "/"} holds a NUL character`;
  return loneSurrogate.test(text) ? `${pointer || "/"} holds a lone surrogate` : undefined;
}

function first<Item>(items: Iterable<Item>, problem: (item: Item) => string | undefined): string | undefined {
  for (const item of items) {
    const found = problem(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
