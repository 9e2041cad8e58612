/** Holds the query of a request to what its route says of it. */
import { compileSchema, type SchemaCheck } from "../../kernel/index.js";
import { invalidParameter, otherParameters, readQuery } from "../routes/query.js";
import type { Operation, Parameter } from "./operation.js";

/**
 * The check of a route's query: unknown and repeated parameters are refused, and those that do not fit their schema.
 *
 * @returns a function that throws EventplaneError `request_invalid` with `details.parameter`
 */
export function queryCheck({ query = {}, takesOtherParameters = false }: Operation): (query: unknown) => void {
  const names = Object.keys(query);
  const checks = Object.entries(query).map(([name, parameter]) => [name, parameterCheck(name, parameter)] as const);
  return (given) => {
    const values = takesOtherParameters ? others(given, names) : readQuery(given, names);
    for (const [name, check] of checks) check(values[name]);
  };
}

function others(given: unknown, names: readonly string[]): ReturnType<typeof readQuery> {
  return readQuery(given, [...names, ...Object.keys(otherParameters(given, names))]);
}

function parameterCheck(name: string, parameter: Parameter): (text: string | undefined) => void {
  const { schema, required = false } = parameter;
  return (text) => {
    if (text === undefined) {
      if (required) throw invalidParameter(name, "must be given");
      return;
    }
    const value = schema.type === "integer" ? (/^\d{1,16}$/.test(text) ? Number(text) : Number.NaN) : text;
    if (compiled(schema)(value).length > 0) throw invalidParameter(name, askedOf(schema));
  };
}

const checks = new WeakMap<Parameter["schema"], SchemaCheck>();

/** Compiled when it is first needed, once for all edges of a process: all at once would hold the start up. */
function compiled(schema: Parameter["schema"]): SchemaCheck {
  let check = checks.get(schema);
  if (check === undefined) checks.set(schema, (check = compileSchema(schema)));
  return check;
}

/** What the schema asks for, in words. */
function askedOf({ type, enum: values, format, minimum, maximum }: Parameter["schema"]): string {
  if (Array.isArray(values)) return `must be ${values.map(String).join(" or ")}`;
  if (type === "integer") return `must be a whole number from ${JSON.stringify(minimum)} to ${JSON.stringify(maximum)}`;
  if (format === "uuid") return "must be a UUID in lower case";
  if (format === "date-time") return "must be an RFC 3339 date-time such as 2026-01-31T09:30:00Z";
  return "does not have the form of one";
}
