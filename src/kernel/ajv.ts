/** The one way to compile a JSON Schema (draft 2020-12): strict, without coercion, defaults or removal. */
import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { dataMarks } from "./data-marks.js";
import { EventplaneError } from "./errors.js";
import type { JsonObject } from "./json-types.js";
import type { DataMark } from "./marked-places.js";
import { pointerToken } from "./pointer-token.js";
import { addFormats } from "./quick-formats.js";
import { isSecretReference, secretReferenceForm, secretReferenceFormat } from "./secret-reference.js";
import { terminalSafe } from "./terminal.js";

/** One way in which a value does not fit its schema. */
export interface SchemaProblem {
  /** JSON pointer into the value; at a missing or an unexpected member, that of the member itself. */
  readonly pointer: string;
  /** What the schema asks for. Never the value that was found. */
  readonly message: string;
}

/** Compiles patterns; Ajv tells those of one engine apart by their `toString`, and engines are told apart by `code`. */
export type PatternEngine = ((
  source: string,
  flags: string,
) => {
  test(text: string): boolean;
  toString(): string;
}) & { readonly code: string };

/** Says what is wrong with a value; an empty list means that it fits. */
export type SchemaCheck = (value: unknown) => readonly SchemaProblem[];

/** Problems reported of one value. */
const problemsMax = 20;
/** Only values of at most this many parts are searched for all their problems; of larger ones the first is given. */
const thoroughPartsMax = 2_000;
const messageCharactersMax = 200;

/**
 * Compiles a schema. Compiling takes about 1 ms: do it once, when the type is registered.
 *
 * The value is never changed: no coercion, no defaults, no removal of members. Of a value with up to 2,000 parts the first 20 problems
 * are given, of a larger one the first. Nothing is cached outside of the returned function. Only local `$ref`s resolve; nothing is
 * ever loaded.
 *
 * `isPlain`: the values are plain data, so nothing that they inherit can be taken for a member of theirs. Checking them costs a sixth less.
 * `takesMarks`: the caller does what {@link dataMarks} ask for, or this one of them; elsewhere a schema that has them is refused, so that no
 * mark is without effect.
 *
 * `engine`: the schema is of a stranger; its patterns run on this instead of V8, and what it refers to is compiled once.
 *
 * @throws EventplaneError `config_invalid` when the schema itself is wrong
 */
export function compileSchema(
  schema: JsonObject,
  {
    isPlain = false,
    takesMarks = false,
    engine,
  }: { readonly isPlain?: boolean; readonly takesMarks?: boolean | DataMark; readonly engine?: PatternEngine } = {},
): SchemaCheck {
  const ownProperties = !isPlain || namesInherited(schema);
  const first = compile(schema, { allErrors: false, ownProperties, takesMarks, engine });
  let all: ValidateFunction | undefined;
  const check: SchemaCheck = (value) => {
    if (first(value)) return [];
    if (!hasFewParts(value))
      return choicesJoined(first.errors ?? [])
        .slice(0, 1)
        .map(problemOf);
    all ??= compile(schema, { allErrors: true, ownProperties, takesMarks, engine });
    all(value);
    return choicesJoined(all.errors ?? [])
      .slice(0, problemsMax)
      .map(problemOf);
  };
  return (value) => {
    try {
      return check(value);
    } catch {
      // Ajv breaks down over a few values, such as a member called valueOf where values are compared. They do not fit.
      return [{ pointer: "", message: "cannot be checked" }];
    }
  };
}

/** Even plain data inherits from Object.prototype: a schema that speaks of such a name has to look closely. */
function namesInherited(schema: JsonObject): boolean {
  const text = JSON.stringify(schema);
  return Object.getOwnPropertyNames(Object.prototype).some((name) => text.includes(JSON.stringify(name)));
}

interface Mode {
  readonly allErrors: boolean;
  readonly ownProperties: boolean;
  readonly takesMarks: boolean | DataMark;
  readonly engine: PatternEngine | undefined;
}

function compile(schema: JsonObject, mode: Mode): ValidateFunction {
  let ajv: Ajv2020 | undefined;
  let validate: ValidateFunction;
  try {
    ajv = compiler(mode);
    validate = ajv.compile(schema);
  } catch (error) {
    throw unusable(error instanceof Error ? error.message : "unknown reason", error);
  } finally {
    ajv?.removeSchema(schema);
  }
  // An asynchronous schema answers with a promise, which would count as "fits".
  if ("$async" in validate) throw unusable("$async is not supported", undefined);
  return validate;
}

const compilers = new Map<string, Ajv2020>();

/** One compiler for each mode, because making one costs more than compiling most schemas; it remembers no schema. */
function compiler({ allErrors, ownProperties, takesMarks, engine }: Mode): Ajv2020 {
  const mode = `${allErrors} ${ownProperties} ${takesMarks} ${engine?.code ?? ""}`;
  const known = compilers.get(mode);
  if (known !== undefined) return known;
  const ajv = new Ajv2020({
    allErrors,
    strict: true,
    // These three are style rules for schemas; schema generators break them without harm.
    strictTypes: false,
    strictRequired: false,
    strictTuples: false,
    coerceTypes: false,
    useDefaults: false,
    removeAdditional: false,
    ownProperties,
    // A schema's $id is its own affair: another schema can neither clash with it nor refer to it.
    addUsedSchema: false,
    logger: false,
    // Inlined, a part that is referred to often would be compiled as often.
    ...(engine === undefined ? {} : { inlineRefs: false, code: { regExp: engine } }),
  });
  addFormats(ajv);
  ajv.addFormat(secretReferenceFormat, { type: "string", validate: isSecretReference });
  for (const [keyword, metaSchema] of Object.entries(dataMarks)) {
    if (takesMarks === true || takesMarks === keyword) ajv.addKeyword({ keyword, metaSchema });
  }
  compilers.set(mode, ajv);
  return ajv;
}

function unusable(why: string, cause: unknown): EventplaneError {
  const message = `The JSON Schema cannot be used: ${bounded(why)}. Correct it (draft 2020-12).`;
  return new EventplaneError("config_invalid", message, { cause });
}

/** Walks without recursion and stops as soon as there are too many. */
function hasFewParts(value: unknown): boolean {
  const waiting: unknown[] = [value];
  for (let parts = 1; waiting.length > 0; ) {
    const next = waiting.pop();
    if (typeof next !== "object" || next === null) continue;
    for (const part of Object.values(next)) {
      if (++parts > thoroughPartsMax) return false;
      waiting.push(part);
    }
  }
  return true;
}

/** A union of constants, as TypeBox writes a choice, is one problem like `enum` instead of one for each constant and one for all. */
function choicesJoined(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const joined: ErrorObject[] = [];
  for (const error of errors) {
    const options = error.keyword === "anyOf" ? joined.filter((each) => isOptionOf(error, each)) : [];
    if (options.length === 0 || options.some(({ keyword }) => keyword !== "const")) {
      joined.push(error);
      continue;
    }
    const allowedValues = options.map(({ params }) => (params as Readonly<Record<string, unknown>>)["allowedValue"]); // of `const`, as documented by Ajv
    joined.splice(-options.length, options.length, { ...error, keyword: "enum", params: { allowedValues } });
  }
  return joined;
}

/** Ajv tells the problems of a union's options right before that of the union. */
function isOptionOf(union: ErrorObject, { instancePath, schemaPath }: ErrorObject): boolean {
  return instancePath.startsWith(union.instancePath) && schemaPath.startsWith(`${union.schemaPath}/`);
}

function problemOf(error: ErrorObject): SchemaProblem {
  // Parameters by keyword, as documented by Ajv: names and limits of the schema, names of members of the value.
  const parameters = error.params as Readonly<Record<string, unknown>>;
  const member = parameters["missingProperty"] ?? parameters["additionalProperty"] ?? parameters["unevaluatedProperty"];
  const pointer = safePointer(error.instancePath) + (typeof member === "string" ? `/${pointerToken(member)}` : "");
  return { pointer, message: messageOf(error, parameters) };
}

function messageOf(error: ErrorObject, parameters: Readonly<Record<string, unknown>>): string {
  switch (error.keyword) {
    case "required":
    case "dependentRequired":
      return "is required";
    case "additionalProperties":
    case "unevaluatedProperties":
      return "is not a known member";
    case "propertyNames":
      return "has a member whose name is not allowed";
    case "enum":
      return bounded(`must be one of ${JSON.stringify(parameters["allowedValues"])}`);
    case "const":
      return bounded(`must be ${JSON.stringify(parameters["allowedValue"])}`);
    case "format":
      if (parameters["format"] === secretReferenceFormat) return `must be ${secretReferenceForm}`;
      return bounded(error.message ?? "has another format");
    default:
      return bounded(error.message ?? `breaks the rule "${error.keyword}"`);
  }
}

function bounded(message: string): string {
  const safe = terminalSafe(message);
  return safe.length > messageCharactersMax ? `${safe.slice(0, messageCharactersMax)}…` : safe;
}

function safePointer(instancePath: string): string {
  return instancePath
    .split("/")
    .map((part) => pointerToken(part.replaceAll("~1", "/").replaceAll("~0", "~")))
    .join("/");
}
