/** Turns what a caller wants logged into small, plain, harmless JSON: redacted, terminal-safe, bounded in depth, number and length. */
import { types } from "node:util";
import { describeError, framesOf } from "./describe-error.js";
import { EventplaneError } from "./errors.js";
import type { JsonObject, JsonValue } from "./json-types.js";
import { isSecretName, redactedValue, redactText } from "./redact.js";
import { terminalSafe } from "./terminal.js";

/** Bounds of one entry. */
const depthMax = 6;
const valuesMax = 400;
const membersMax = 50;
const textCharactersMax = 2_000;
const entryCharactersMax = 16_000;
const nameCharactersMax = 80;
/** Looked at for secrets before the text is cut, so that a cut never hides the end of one. */
const scannedCharactersMax = 8_000;

const cut = "…[cut]";

/** What is left of an entry's bounds. */
interface Budget {
  values: number;
  characters: number;
  readonly stack: boolean;
  readonly replace: (text: string) => string;
}

/** How an entry is cleaned. */
export interface CleanOptions {
  /** Keep the frames of errors. */
  readonly stack: boolean;
  /** Takes out of every text, name and number what only the caller knows to be secret, before anything is cut. Bounded by itself. */
  readonly replace?: (text: string) => string;
}

/** Cleans the fields of one entry. Never throws, not even for getters and proxies that do. */
export function cleanFields(fields: object, { stack, replace = (text) => text }: CleanOptions): JsonObject {
  const budget: Budget = { values: valuesMax, characters: entryCharactersMax, stack, replace };
  try {
    const clean = fields instanceof Error ? { error: fields } : fields;
    return cleanMembers(clean, budget, 1);
  } catch {
    // A logger that throws would turn a report into a fault; the entry says that something is missing.
    return { fields: "[unreadable]" };
  }
}

/** One line of text: redacted, terminal-safe, bounded. */
export function cleanText(text: string, charactersMax: number = textCharactersMax): string {
  const safe = terminalSafe(redactText(text.slice(0, scannedCharactersMax)));
  return safe.length > charactersMax ? safe.slice(0, charactersMax) + cut : safe;
}

function cleanValue(value: unknown, budget: Budget, depth: number): JsonValue {
  if (--budget.values < 0 || budget.characters <= 0) return cut;
  switch (typeof value) {
    case "string":
      return textOf(value, budget);
    case "number":
      return numberOf(value, budget);
    case "boolean":
      return value;
    case "bigint":
      return textOf(String(value), budget);
    case "object":
      return value === null ? null : cleanObject(value, budget, depth);
    case "undefined":
      return null;
    default:
      return `[${typeof value}]`;
  }
}

function cleanObject(value: object, budget: Budget, depth: number): JsonValue {
  if (depth > depthMax) return "[too deep]";
  if (value instanceof Error) return cleanError(value, budget, depth);
  if (types.isDate(value)) return Number.isNaN(value.valueOf()) ? "[invalid date]" : value.toISOString();
  if (value instanceof URL) return textOf(value.href, budget);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) {
    return cleanItems(value, budget, depth + 1);
  }
  if (value instanceof Map || value instanceof Set) return `[${value.constructor.name} of ${value.size}]`;
  return cleanMembers(value, budget, depth + 1);
}

function cleanItems(list: readonly unknown[], budget: Budget, depth: number): JsonValue[] {
  const clean = list.slice(0, membersMax).map((item, at) => {
    const before = list[at - 1];
    // Lists of names and values in turn, as raw HTTP headers are.
    const secret = typeof before === "string" && typeof item === "string" && isSecretName(before);
    return secret ? redactedValue : cleanValue(item, budget, depth);
  });
  return list.length > membersMax ? [...clean, `[${list.length - membersMax} more]`] : clean;
}

function cleanMembers(value: object, budget: Budget, depth: number): JsonObject {
  const clean: Record<string, JsonValue> = {};
  const names = Object.keys(value);
  for (const name of names.slice(0, membersMax)) {
    // Read one by one, so that members beyond the bound are not read at all.
    const member = (value as Readonly<Record<string, unknown>>)[name];
    if (member === undefined) continue;
    const secret = isSecretName(name) && member !== null && typeof member !== "boolean";
    // A prefix keeps a hostile name from being the setter of the prototype.
    const safeName = name === "__proto__" ? "[__proto__]" : nameOf(name, budget, depth);
    clean[safeName] = secret ? redactedValue : cleanValue(member, budget, depth);
  }
  if (names.length > membersMax) clean["more"] = names.length - membersMax;
  return clean;
}

function cleanError(error: Error, budget: Budget, depth: number): JsonObject {
  const { cause, details, ...texts } = describeError(error);
  const clean: Record<string, JsonValue> = {};
  // Our own names and codes are constants, and what a reader goes by.
  const own = error instanceof EventplaneError ? { name: texts.name, code: error.code } : {};
  for (const [name, text] of Object.entries({ ...texts, ...own }))
    clean[name] = name in own ? text : textOf(text, budget);
  if (details !== undefined) clean["details"] = cleanValue(details, budget, depth + 1);
  const frames = budget.stack ? framesOf(error) : [];
  if (frames.length > 0) clean["stack"] = frames.map((frame) => textOf(frame, budget));
  if (cause !== undefined) clean["cause"] = cleanValue(cause, budget, depth + 1);
  return clean;
}

function numberOf(value: number, { replace }: Budget): number | string {
  const text = String(value);
  const left = replace(text);
  return left === text && Number.isFinite(value) ? value : left;
}

/** The names of the entry's own fields are the caller's, not those of a value. */
function nameOf(name: string, budget: Budget, depth: number): string {
  return depth > 1 ? textOf(name, budget, nameCharactersMax) : spend(cleanText(name, nameCharactersMax), budget);
}

function textOf(text: string, budget: Budget, charactersMax?: number): string {
  return spend(cleanText(budget.replace(text), charactersMax), budget);
}

function spend(text: string, budget: Budget): string {
  const rest = Math.max(0, budget.characters);
  budget.characters -= text.length;
  return text.length > rest ? text.slice(0, rest) + cut : text;
}
