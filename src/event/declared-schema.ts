/**
 * Checks of what controllers decide against what aggregates declare.
 */
import { compileSchema, type JsonObject, type SchemaCheck } from "../kernel/index.js";

/** A schema is compiled once in its life; compiling takes milliseconds. */
const compiled = new WeakMap<JsonObject, SchemaCheck>();

/** Where and why the value does not fit, or undefined when it does or no schema is declared. */
export function checkDeclared(schema: JsonObject | undefined, value: JsonObject): string | undefined {
  if (schema === undefined) return undefined;
  let check = compiled.get(schema);
  if (check === undefined) {
    check = compileSchema(schema);
    compiled.set(schema, check);
  }
  const [problem] = check(value);
  return problem === undefined ? undefined : `${problem.pointer || "/"} ${problem.message}`;
}
