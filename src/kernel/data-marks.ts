/** Keywords by which a JSON Schema says what kind of data is at a place. */
import type { JsonObject } from "./json-types.js";

/**
 * The marks, each with the schema of its value: `x-eventplane-sensitive: true` for what only those who handle it may see, and
 * `x-eventplane-personal: true | { subject: "aggregateId" | "/pointer" }` for data about a person, with where the value says who that is.
 */
export const dataMarks: Readonly<Record<"x-eventplane-sensitive" | "x-eventplane-personal", JsonObject>> = {
  "x-eventplane-sensitive": { type: "boolean" },
  "x-eventplane-personal": {
    anyOf: [
      { type: "boolean" },
      {
        type: "object",
        properties: { subject: { type: "string" } },
        required: ["subject"],
        additionalProperties: false,
      },
    ],
  },
};
