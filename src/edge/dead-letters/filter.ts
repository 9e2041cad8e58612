/** The members of a filter of dead letters, as addresses and bodies give them. */
import { EventplaneError, type JsonValue } from "../../kernel/index.js";
import type { DeadLetterFilter } from "../../work/index.js";
import { aggregateIdOf, aggregateTypeOf, invalidParameter, type Query, timeOf } from "../routes/query.js";

/** Their names. */
export const deadLetterFilterNames = [
  "component",
  "code",
  "codeVersion",
  "aggregateType",
  "aggregateId",
  "sinceFrom",
  "sinceBefore",
] as const;

const wordForm = /^[A-Za-z0-9._:+-]{1,128}$/;

/** @throws EventplaneError `request_invalid` for a member that has not the form of one */
export function deadLetterFilterOf(query: Query): DeadLetterFilter {
  const { aggregateType, aggregateId } = query;
  return {
    ...wordOf(query, "component"),
    ...wordOf(query, "code"),
    ...wordOf(query, "codeVersion"),
    ...(aggregateType === undefined ? {} : { aggregateType: aggregateTypeOf(aggregateType) }),
    ...(aggregateId === undefined ? {} : { aggregateId: aggregateIdOf(aggregateId) }),
    ...timeOf(query, "sinceFrom", "sinceFromUs"),
    ...timeOf(query, "sinceBefore", "sinceBeforeUs"),
  };
}

/** The same from a member of a body. */
export function deadLetterFilterIn(filter: JsonValue | undefined): DeadLetterFilter {
  if (typeof filter !== "object" || filter === null || Array.isArray(filter))
    throw new EventplaneError("request_invalid", `filter is an object with ${deadLetterFilterNames.join(", ")}.`, {
      details: { pointer: "/filter" },
    });
  const known: readonly string[] = deadLetterFilterNames;
  for (const [name, value] of Object.entries(filter)) {
    if (!known.includes(name) || typeof value !== "string") {
      const message = `filter has texts, of ${deadLetterFilterNames.join(", ")}.`;
      throw new EventplaneError("request_invalid", message, { details: { pointer: "/filter" } });
    }
  }
  return deadLetterFilterOf(filter as Query); // every value is a string
}

function wordOf(query: Query, name: "component" | "code" | "codeVersion"): Record<string, string> {
  const text = query[name];
  if (text === undefined) return {};
  if (wordForm.test(text)) return { [name]: text };
  throw invalidParameter(name, "does not have the form of one");
}
