/**
 * From what a team wrote to a closed JSON Schema 2020-12.
 */
import { compileSchema, EventplaneError, isEventplaneError, type JsonObject, type JsonValue } from "../kernel/index.js";
import { closeSchema } from "./close-schema.js";
import type { SchemaSource, StandardJsonSchema } from "./infer.js";
import { assertPersonalMarks, type PersonalRole } from "./personal-marks.js";
import { referenceLoop } from "./reference-loops.js";
import { visitSchemas } from "./walk-schema.js";

/**
 * The closed JSON Schema of a source.
 *
 * Transforms, defaults and rules in code are refused: what is stored are the caller's bytes, and what is checked is this
 * schema and nothing else.
 *
 * @param what names the place in the configuration, for errors
 * @param personal what marks of personal data do there; without it they are refused
 * @throws EventplaneError `config_invalid`
 */
export function readSchema(source: SchemaSource, what: string, personal?: PersonalRole): JsonObject {
  const given = isStandard(source) ? readStandard(source, what) : (source as unknown);
  const { $schema: _, ...schema } = plainCopy(given, what);
  visitSchemas(schema, (part, pointer) => {
    if ("default" in part)
      throw unusable(what, `it has a default at ${pointer || "/"}; publishers must send what they want stored`);
  });
  const loop = referenceLoop(schema);
  if (loop !== undefined)
    throw unusable(what, `what ${loop || "/"} refers to comes back to it without going down into a member`);
  const closed = closeSchema(schema);
  try {
    compileSchema(closed, personal === undefined ? {} : { takesMarks: "x-eventplane-personal" });
  } catch (error) {
    if (isEventplaneError(error)) throw unusable(what, error.message);
    throw error;
  }
  if (personal !== undefined) assertPersonalMarks(closed, what, personal);
  return closed;
}

function unusable(what: string, why: string): EventplaneError {
  return new EventplaneError("config_invalid", `The schema of ${what} cannot be used: ${why}.`);
}

function isStandard(source: SchemaSource): source is StandardJsonSchema {
  return "~standard" in source;
}

function readStandard(source: StandardJsonSchema, what: string): unknown {
  const { vendor, jsonSchema } = source["~standard"];
  if (typeof jsonSchema?.input !== "function") {
    throw unusable(what, `${vendor} offers no JSON Schema for it (Standard JSON Schema); pass the JSON Schema itself`);
  }
  const options = vendor === "zod" ? { libraryOptions: { override: refuseCodeInZod(what) } } : {};
  try {
    const input = jsonSchema.input({ target: "draft-2020-12", ...options });
    jsonSchema.output({ target: "draft-2020-12" });
    return input;
  } catch (error) {
    if (isEventplaneError(error)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw unusable(what, `${vendor} says "${why}"; transforms and types that JSON lacks cannot be stored as they came`);
  }
}

const zodTypesRefused: readonly string[] = ["transform", "pipe", "default", "prefault", "catch", "codec"];

/** zod leaves rules in code out of the JSON Schema silently; its converter shows each node, so they are found here. */
function refuseCodeInZod(what: string): (node: { readonly zodSchema: unknown }) => void {
  return ({ zodSchema }) => {
    // The documented internals of a zod 4 schema (https://zod.dev/packages/core); every part may be missing.
    const def = (zodSchema as { _zod?: { def?: ZodDef } } | undefined)?._zod?.def;
    if (def === undefined) return;
    if (zodTypesRefused.includes(def.type ?? ""))
      throw unusable(what, `it uses zod's ${def.type}; publishers must send what they want stored`);
    if (def.coerce === true) throw unusable(what, "it coerces; publishers must send what they want stored");
    for (const check of def.checks ?? []) {
      const name = check._zod?.def?.check;
      if (name === "overwrite")
        throw unusable(what, "it changes text (trim, toLowerCase …); publishers must send what they want stored");
      if (name === "custom")
        throw unusable(what, "it has a refinement in code, which JSON Schema cannot hold; use a guard for such rules");
    }
  };
}

interface ZodDef {
  readonly type?: string;
  readonly coerce?: boolean;
  readonly checks?: readonly { readonly _zod?: { readonly def?: { readonly check?: string } } }[];
}

/** Detached from the library's own objects; TypeBox keeps its marks in members that JSON does not show. */
function plainCopy(schema: unknown, what: string): JsonObject {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema))
    throw unusable(what, "it is not a schema object");
  refuseCodeInTypeBox(schema, what);
  try {
    return JSON.parse(JSON.stringify(schema)) as JsonObject; // an object in, an object out
  } catch (cause) {
    throw new EventplaneError("config_invalid", `The schema of ${what} is not JSON.`, { cause });
  }
}

function refuseCodeInTypeBox(schema: object, what: string): void {
  visitSchemas(schema as JsonValue as JsonObject, (part, pointer) => {
    // read as JSON; members that are not are left alone
    if ("~codec" in part || "~refine" in part)
      throw unusable(what, `it has code (a codec or a refinement) at ${pointer || "/"}`);
  });
}
