/** Turns a topic's definition into the check that every payload passes. */
import {
  compileSchema,
  EventplaneError,
  isEventplaneError,
  type JsonObject,
  type SchemaProblem,
  terminalSafe,
} from "../kernel/index.js";
import type { StandardIssue, StandardSchema } from "./standard-schema.js";
import type { Topic } from "./topic.js";

/**
 * Gives the payload that handlers get: the value itself, or what a Standard Schema made of it.
 *
 * @throws EventplaneError `schema_violation` with every problem by its pointer, never with a value
 */
export type PayloadCheck = (payload: unknown) => unknown;

const problemsShown = 5;
const messageCharactersMax = 200;

/**
 * Compiles the check of one topic.
 *
 * @throws EventplaneError `config_invalid` when the schema, the version or an upcaster cannot be used
 */
export function compileTopic(name: string, topic: Topic): { readonly check: PayloadCheck; readonly lift: Lift } {
  if (!Number.isSafeInteger(topic.version) || topic.version < 1)
    throw new EventplaneError("config_invalid", `The version of ${name} is a whole number from 1.`);
  return { check: compileCheck(name, topic.schema), lift: compileLift(name, topic) };
}

function compileCheck(name: string, schema: Topic["schema"]): PayloadCheck {
  if (schema === undefined) return (payload) => payload;
  if (isStandard(schema)) return standardCheck(name, schema);
  // What is not plain data was refused before, by frozenCopy.
  const problemsOf = compileSchema(schema, { isPlain: true, takesMarks: true });
  return (payload) => {
    const problems = problemsOf(payload);
    if (problems.length > 0) throw violation(name, problems);
    return payload;
  };
}

/** The topic's JSON Schema, if it has one. */
export function jsonSchemaOf({ schema }: Topic): JsonObject | undefined {
  return schema === undefined || isStandard(schema) ? undefined : schema;
}

function isStandard(schema: JsonObject | StandardSchema): schema is StandardSchema {
  return "~standard" in schema;
}

function standardCheck(name: string, schema: StandardSchema): PayloadCheck {
  const { validate } = schema["~standard"];
  return (payload) => {
    const result = validate(payload);
    if (result instanceof Promise) {
      // Refused either way; what it would reject with is nobody's.
      result.catch(() => undefined);
      throw new EventplaneError(
        "config_invalid",
        `The schema of ${name} validates asynchronously; use one that does not.`,
      );
    }
    if (result.issues !== undefined) throw violation(name, result.issues.map(problemOf));
    return result.value;
  };
}

function problemOf({ message, path = [] }: StandardIssue): SchemaProblem {
  const keys = path.map((part) => String(typeof part === "object" ? part.key : part));
  const pointer = keys.map((key) => `/${terminalSafe(key).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
  return { pointer, message: terminalSafe(message).slice(0, messageCharactersMax) };
}

function violation(name: string, problems: readonly SchemaProblem[]): EventplaneError {
  const shown = problems
    .slice(0, problemsShown)
    .map(({ pointer, message }) => `${pointer || "the payload"} ${message}`);
  const more = problems.length > problemsShown ? `; ${problems.length - problemsShown} more` : "";
  return new EventplaneError(
    "schema_violation",
    `The payload does not fit the schema of ${name}: ${shown.join("; ")}${more}.`,
    { details: { topic: name, pointers: problems.map(({ pointer }) => pointer) } },
  );
}

/** Lifts a payload of an older version to the topic's own. */
export type Lift = (payload: unknown, version: number) => unknown;

function compileLift(name: string, { version: current, upcasters }: Topic): Lift {
  return (payload, version) => {
    let lifted = payload;
    for (let at = version; at < current; at++) {
      const upcast = upcasters[at];
      if (upcast === undefined) throw unknownVersion(name, version);
      lifted = upcastOnce(name, { upcast, at, payload: lifted });
    }
    if (!Number.isSafeInteger(version) || version < 1 || version > current) throw unknownVersion(name, version);
    return lifted;
  };
}

function upcastOnce(
  name: string,
  {
    upcast,
    at,
    payload,
  }: { readonly upcast: (payload: never) => unknown; readonly at: number; readonly payload: unknown },
): unknown {
  try {
    // The team says by its table that the step takes payloads of this version.
    return upcast(payload as never);
  } catch (cause) {
    if (isEventplaneError(cause)) throw cause;
    throw new EventplaneError(
      "schema_violation",
      `A payload of ${name} could not be lifted from version ${at} to ${at + 1}.`,
      { details: { topic: name, version: at }, cause },
    );
  }
}

function unknownVersion(name: string, version: number): EventplaneError {
  return new EventplaneError(
    "unknown_type",
    `There is no version ${version} of ${name}, or no way from it to the current one.`,
    {
      details: { topic: name, version },
    },
  );
}
