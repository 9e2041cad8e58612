/** Rules of the keywords about numbers, texts and values. */
import type { JsonValue } from "../../kernel/index.js";
import type { Facts, TypeName } from "./facts.js";
import { typesNamed } from "./facts.js";
import type { Asked, Rule, SchemaGap } from "./rule.js";
import { equalJson } from "./same.js";

/** See the file's first line. */
export const valueRules: Readonly<Record<string, Rule>> = {
  type: (facts, asked) => {
    const allowed = typesNamed(asked.value);
    const lost = [...facts.types].filter(
      (type) => !allowed.has(type) && !(type === "integer" && allowed.has("number")),
    );
    return lost.length === 0 ? [] : no(asked, `takes no ${lost.join(", ")} any more`);
  },
  enum: (facts, asked) => oneOfValues(facts, asked, Array.isArray(asked.value) ? asked.value : []),
  const: (facts, asked) => oneOfValues(facts, asked, [asked.value]),
  minimum: whereNumbers((facts, asked, limit) => {
    const lower = facts.bound("lower");
    return lower !== undefined && lower.value >= limit ? [] : no(asked, "takes no such small numbers any more");
  }),
  maximum: whereNumbers((facts, asked, limit) => {
    const upper = facts.bound("upper");
    return upper !== undefined && upper.value <= limit ? [] : no(asked, "takes no such large numbers any more");
  }),
  exclusiveMinimum: whereNumbers((facts, asked, limit) => {
    const lower = facts.bound("lower");
    const holds = lower !== undefined && (lower.value > limit || (lower.value === limit && lower.exclusive));
    return holds ? [] : no(asked, "takes no such small numbers any more");
  }),
  exclusiveMaximum: whereNumbers((facts, asked, limit) => {
    const upper = facts.bound("upper");
    const holds = upper !== undefined && (upper.value < limit || (upper.value === limit && upper.exclusive));
    return holds ? [] : no(asked, "takes no such large numbers any more");
  }),
  multipleOf: whereNumbers((facts, asked, step) => {
    const isInteger = !facts.types.has("number");
    const holds = (isInteger && step === 1) || facts.parts.some((part) => isMultiple(part.schema, step));
    return holds ? [] : no(asked, "takes fewer numbers");
  }),
  minLength: atLeast("string", "minLength", "takes no such short texts any more"),
  maxLength: atMost("string", "maxLength", "takes no such long texts any more"),
  pattern: (facts, asked) =>
    facts.says("pattern", asked.value) || !facts.types.has("string")
      ? []
      : no(asked, "has a pattern that texts did not have to match"),
  // Some formats are of numbers.
  format: (facts, asked) =>
    facts.says("format", asked.value) || formatted.every((type) => !facts.types.has(type))
      ? []
      : no(asked, "has a format that values did not have to have"),
};

/** A keyword that asks for at least a number, as long as values of the type may come. */
export function atLeast(type: TypeName, keyword: string, reason: string): Rule {
  return (facts, asked) => {
    const known = facts.extreme(keyword, "largest") ?? 0;
    return !facts.types.has(type) || known >= Number(asked.value) ? [] : no(asked, reason);
  };
}

/** A keyword that asks for at most a number. */
export function atMost(type: TypeName, keyword: string, reason: string): Rule {
  return (facts, asked) => {
    const known = facts.extreme(keyword, "smallest") ?? Number.POSITIVE_INFINITY;
    return !facts.types.has(type) || known <= Number(asked.value) ? [] : no(asked, reason);
  };
}

/** A gap at the keyword. */
export function no({ pointer }: Asked, reason: string): readonly SchemaGap[] {
  return [{ pointer, reason }];
}

function whereNumbers(rule: (facts: Facts, asked: Asked, limit: number) => readonly SchemaGap[]): Rule {
  return (facts, asked) =>
    facts.types.has("number") || facts.types.has("integer") ? rule(facts, asked, Number(asked.value)) : [];
}

/** Whole numbers only: of fractions a validator may say otherwise than arithmetic. */
function isMultiple(schema: JsonValue, step: number): boolean {
  const known = (schema as { readonly multipleOf?: unknown } | null)?.multipleOf;
  if (known === step) return true;
  return Number.isInteger(known) && Number.isInteger(step) && Number(known) % step === 0;
}

const formatted: readonly TypeName[] = ["string", "number", "integer"];
const bothTruths: readonly JsonValue[] = [true, false];

function oneOfValues({ values, types }: Facts, asked: Asked, allowed: readonly JsonValue[]): readonly SchemaGap[] {
  const isAllowed = (value: JsonValue): boolean => allowed.some((each) => equalJson(each, value));
  const all = values ?? [
    ...(types.has("null") ? [null] : []),
    ...(types.has("boolean") ? bothTruths : []),
    ...([...types].some((type) => type !== "null" && type !== "boolean") ? [undefined] : []),
  ];
  const lost = all.filter((value) => value === undefined || !isAllowed(value));
  if (lost.length === 0) return [];
  const named = lost.flatMap((value) => (value === undefined ? [] : [JSON.stringify(value).slice(0, 40)])).slice(0, 3);
  return no(asked, named.length === 0 ? "takes only these values" : `does not take ${named.join(", ")} any more`);
}
