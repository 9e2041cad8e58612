/**
 * Checks of what controllers decide against what aggregates declare.
 */
import {
  admitSealed,
  compileSchema,
  type JsonObject,
  type SchemaCheck,
  type SealedAdmission,
} from "../kernel/index.js";

/** A schema is compiled once in its life; compiling takes milliseconds. */
const compiled = {
  beside: new WeakMap<JsonObject, SchemaCheck>(),
  only: new WeakMap<JsonObject, SchemaCheck>(),
} as const;

/**
 * Where and why the value does not fit, or undefined when it does or no schema is declared.
 *
 * @param admission what may stand where the schema marks personal data, which controllers see sealed
 */
export function checkDeclared(
  schema: JsonObject | undefined,
  value: JsonObject,
  admission: SealedAdmission,
): string | undefined {
  if (schema === undefined) return undefined;
  let check = compiled[admission].get(schema);
  if (check === undefined) {
    check = compileSchema(admitSealed(schema, admission));
    compiled[admission].set(schema, check);
  }
  const [problem] = check(value);
  return problem === undefined ? undefined : `${problem.pointer || "/"} ${problem.message}`;
}
