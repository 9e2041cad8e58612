/** The formats that most schemas have, at a fraction of their cost: what has the usual form is taken at a glance, the rest is looked at closely. */
import type { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { assert } from "./errors.js";

/** Written out, because a counted repetition costs the expression engine two and a half times as much. */
const hexadecimal = (count: number): string => "[0-9a-f]".repeat(count);
const day = "\\d\\d\\d\\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\\d|2[0-8])";
const time = "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d+)?Z";

/** Each takes less than its format does: no 29th to 31st, no leap second, no offset, no upper-case or prefixed UUID. */
const usualForms: Readonly<Record<string, RegExp>> = {
  date: new RegExp(`^${day}$`),
  "date-time": new RegExp(`^${day}T${time}$`),
  uuid: new RegExp(`^${[8, 4, 4, 4, 12].map(hexadecimal).join("-")}$`),
};

/** Adds the formats of ajv-formats; those above answer as they do there. */
export function addFormats(ajv: Ajv2020): void {
  formats.default(ajv);
  for (const [name, usual] of Object.entries(usualForms)) {
    const isValid = validatorOf(name);
    ajv.addFormat(name, { type: "string", validate: (text) => usual.test(text) || isValid(text) });
  }
}

function validatorOf(name: string): (text: string) => boolean {
  const format = formats.default.get(name as "date"); // any of its names
  const validate = typeof format === "object" && "validate" in format ? format.validate : format;
  if (validate instanceof RegExp) return (text) => validate.test(text);
  assert(typeof validate === "function", "these formats are functions or expressions");
  // Formats of texts, which answer at once.
  return validate as (text: string) => boolean;
}
