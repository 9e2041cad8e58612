/**
 * Schemas that come over the network: JSON Schema 2020-12 without what could cost a plane more than its size says.
 *
 * A few keywords, references within the document that never come back to themselves, patterns on a linear engine, and bounds: of
 * bytes, parts, listed values, instructions of patterns, and of the work that checking one value can be.
 */
import {
  compileSchema,
  EventplaneError,
  isEventplaneError,
  type JsonObject,
  type JsonValue,
  limits,
  pointerToken,
  type SchemaCheck,
} from "../kernel/index.js";
import { closeSchema } from "./close-schema.js";
import { linearEngine, linearPattern } from "./linear-engine.js";
import { assertPersonalMarks } from "./personal-marks.js";
import { followRef, isSchemaObject } from "./sub.js";
import { subschemaEntries, visitSchemas } from "./walk-schema.js";

const dialect = "https://json-schema.org/draft/2020-12/schema";

/** Whatever is not here is refused, known to JSON Schema or not. */
const keywords: ReadonlySet<string> = new Set(
  [
    "type enum const allOf anyOf oneOf not if then else $ref $defs",
    "properties required additionalProperties propertyNames minProperties maxProperties dependentRequired unevaluatedProperties",
    "items prefixItems minItems maxItems uniqueItems minLength maxLength pattern format",
    "multipleOf minimum maximum exclusiveMinimum exclusiveMaximum",
    "title description $comment examples deprecated readOnly writeOnly",
    "x-eventplane-personal",
  ].flatMap((line) => line.split(" ")),
);

/** What is below them is asked of every element, or of every member. */
const repeating: ReadonlySet<string> = new Set([
  "items",
  "additionalProperties",
  "propertyNames",
  "unevaluatedProperties",
]);
/** How much more a part counts that is asked of every element: each branch is tried on each, a member only where there is one. */
const weights = { member: 5, branch: 50, condition: 50, definition: 0 } as const;

/**
 * The closed schema of a text that a stranger sent.
 *
 * @throws EventplaneError `schema_invalid` with every problem as `pointer: why`, at most 20
 */
export function readStrangerSchema(given: JsonObject): JsonObject {
  const { $schema, ...schema } = given;
  const problems: string[] = [];
  const say = (pointer: string, why: string): void => void problems.push(`${pointer || "/"}: ${why}`);
  if ($schema !== undefined && $schema !== dialect) say("/$schema", `must be ${dialect}, or absent`);
  const bytes = Buffer.byteLength(JSON.stringify(schema));
  if (bytes > limits.schemaBytesMax) say("", `has ${bytes} bytes; at most ${limits.schemaBytesMax} are taken`);
  else inspect(schema, say);
  if (problems.length === 0 && !isObjectSchema(schema)) say("/type", 'must be "object": a spec is one');
  if (problems.length === 0) inspectReferences(schema, say);
  if (problems.length > 0) throw invalid(problems);
  const closed = closeSchema(schema);
  compileStrangerSchema(closed);
  asInvalid(() => assertPersonalMarks(closed, "the type", "encrypts"));
  return closed;
}

/** The check of a closed schema of a stranger. @throws EventplaneError `schema_invalid` when Ajv does not take it */
export function compileStrangerSchema(schema: JsonObject): SchemaCheck {
  return asInvalid(() => compileSchema(schema, { engine: linearEngine, takesMarks: "x-eventplane-personal" }));
}

function asInvalid<Result>(action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    if (isEventplaneError(error, "config_invalid")) throw invalid([`/: ${error.message}`]);
    throw error;
  }
}

type Say = (pointer: string, why: string) => void;

/** Every part for itself, and what all of them come to. */
function inspect(schema: JsonObject, say: Say): void {
  let parts = 0;
  let instructions = 0;
  visitSchemas(schema, (part, pointer) => {
    if (++parts > limits.schemaPartsMax) return;
    inspectKeywords(part, pointer, say);
    instructions += inspectPattern(part, pointer, say);
  });
  if (parts > limits.schemaPartsMax) say("", `has ${parts} parts; at most ${limits.schemaPartsMax} are taken`);
  if (instructions > limits.schemaPatternInstructionsMax)
    say(
      "",
      `has patterns of ${instructions} instructions in all; at most ${limits.schemaPatternInstructionsMax} are taken`,
    );
}

function inspectKeywords(part: JsonObject, pointer: string, say: Say): void {
  for (const keyword of Object.keys(part))
    if (!keywords.has(keyword)) say(`${pointer}/${pointerToken(keyword)}`, "is no keyword that is taken here");
  const { enum: values, uniqueItems, items, maxItems, $ref } = part;
  if (Array.isArray(values) && values.length > limits.schemaEnumMax)
    say(`${pointer}/enum`, `lists ${values.length} values; at most ${limits.schemaEnumMax} are taken`);
  // Objects are compared each with each.
  const isScalar = isSchemaObject(items) && typeof items.type === "string" && scalars.has(items.type);
  const isShort = typeof maxItems === "number" && maxItems <= uniqueObjectsMax;
  if (uniqueItems === true && !isScalar && !isShort)
    say(
      `${pointer}/uniqueItems`,
      `needs items of one type that is no object or array, or maxItems of at most ${uniqueObjectsMax}`,
    );
  if ($ref !== undefined && !(typeof $ref === "string" && ($ref === "#" || $ref.startsWith("#/"))))
    say(`${pointer}/$ref`, "must begin with #/: nothing outside of the document is ever read");
}

const scalars: ReadonlySet<string> = new Set(["string", "integer", "number", "boolean", "null"]);
const uniqueObjectsMax = 100;

/** @returns what the pattern costs */
function inspectPattern({ pattern }: JsonObject, pointer: string, say: Say): number {
  if (typeof pattern !== "string") return 0;
  try {
    return linearPattern(pattern).instructions;
  } catch {
    say(
      `${pointer}/pattern`,
      "is no pattern of RE2: no looking ahead or behind, no references back, at most 1,000 repetitions",
    );
    return 0;
  }
}

/** References lead somewhere and never come back; with all of them followed, checking a value stays within bounds. */
function inspectReferences(root: JsonObject, say: Say): void {
  const open = new Set<JsonValue>();
  let work = 0;
  const walk: Walk = (schema, { pointer, weight, isRepeated }) => {
    if (!isSchemaObject(schema)) return true;
    if (open.has(schema)) {
      say(pointer, "leads back to itself");
      return false;
    }
    work += weight;
    if (work > limits.schemaWorkMax) {
      say("", `is too much work to check: with its references followed it counts more than ${limits.schemaWorkMax}`);
      return false;
    }
    open.add(schema);
    const goesOn = followed(schema, { root, say, place: { pointer, weight, isRepeated } }, walk);
    open.delete(schema);
    return goesOn;
  };
  walk(root, { pointer: "", weight: 1, isRepeated: false });
}

interface Place {
  readonly pointer: string;
  readonly weight: number;
  /** Asked of every element or member. */
  readonly isRepeated: boolean;
}

/** @returns whether to go on */
type Walk = (schema: JsonValue, place: Place) => boolean;

function followed(
  schema: JsonObject,
  { root, say, place }: { readonly root: JsonObject; readonly say: Say; readonly place: Place },
  walk: Walk,
): boolean {
  if (schema.$ref !== undefined) {
    const at = `${place.pointer}/$ref`;
    const target = followRef(schema.$ref, root);
    if (target === undefined) say(at, "leads to no schema in the document");
    if (target === undefined || !walk(target.schema, { ...place, pointer: at })) return false;
  }
  return subschemaEntries(schema, place.pointer).every(({ keyword, part, pointer, place: kind }) => {
    const isRepeated = place.isRepeated || repeating.has(keyword);
    return kind === "definition" || walk(part, { pointer, weight: isRepeated ? weights[kind] : 1, isRepeated });
  });
}

function isObjectSchema({ type }: JsonObject): boolean {
  return type === "object";
}

function invalid(problems: readonly string[]): EventplaneError {
  const shown = problems.slice(0, problemsMax);
  return new EventplaneError("schema_invalid", `The schema cannot be taken: ${shown.slice(0, 3).join("; ")}.`, {
    details: { problems: shown },
  });
}

const problemsMax = 20;
