/** Rules of the keywords about objects. */
import { pointerToken } from "../../kernel/index.js";
import { followRef, keywordOf, listOf, mapOf, type Sub } from "../sub.js";
import type { Facts } from "./facts.js";
import { namesIn } from "./facts.js";
import type { Asked, Comparison, Rule, SchemaGap } from "./rule.js";
import { no } from "./value-rules.js";

/** See the file's first line. */
export const objectRules: Readonly<Record<string, Rule>> = {
  required: whereObjects((facts, asked) => {
    const missing = namesIn(asked.value).filter((name) => !facts.required.has(name));
    return missing.length === 0 ? [] : no(asked, `requires ${missing.join(", ")}, which may be missing`);
  }),
  minProperties: whereObjects((facts, asked) => {
    const known = Math.max(facts.extreme("minProperties", "largest") ?? 0, facts.required.size);
    return known >= Number(asked.value) ? [] : no(asked, "takes no objects of so few members any more");
  }),
  maxProperties: whereObjects((facts, asked) => {
    const few = facts.onlyNames?.size ?? Number.POSITIVE_INFINITY;
    const known = Math.min(facts.extreme("maxProperties", "smallest") ?? Number.POSITIVE_INFINITY, few);
    return known <= Number(asked.value) ? [] : no(asked, "takes no objects of so many members any more");
  }),
  dependentRequired: whereObjects((facts, asked) => {
    const lost = [...mapOf(asked.sub, "dependentRequired")].flatMap(([name, { schema }]) => {
      if (facts.onlyNames?.has(name) === false) return [];
      const before = facts.parts.flatMap((part) => namesIn(mapOf(part, "dependentRequired").get(name)?.schema));
      return namesIn(schema).filter((needed) => !facts.required.has(needed) && !before.includes(needed));
    });
    return lost.length === 0 ? [] : no(asked, `requires ${lost.join(", ")}, which may be missing`);
  }),
  properties: whereObjects((facts, { sub, pointer }, comparison) =>
    [...mapOf(sub, "properties")].flatMap(([name, member]) =>
      comparison.gaps(facts.member(name), member, `${pointer}/${pointerToken(name)}`),
    ),
  ),
  additionalProperties: whereObjects(furtherMembers),
  patternProperties: whereObjects((facts, { sub, pointer }, comparison) =>
    [...mapOf(sub, "patternProperties")].flatMap(([pattern, to]) => {
      const at = `${pointer}/${pointerToken(pattern)}`;
      const known = facts.parts.flatMap((part) => mapOf(part, "patternProperties").get(pattern) ?? []);
      if (known.some((from) => comparison.gaps([from], to, at).length === 0)) return [];
      // No expression is tried: every member is taken for one that matches.
      const named = [...facts.names].flatMap((name) => comparison.gaps(facts.member(name), to, at));
      return [...named, ...facts.others().flatMap((others) => comparison.gaps(others, to, at))];
    }),
  ),
  propertyNames: whereObjects((facts, { sub, value, pointer }, comparison) => {
    const to = { schema: value, root: sub.root };
    const before = facts.parts.flatMap((part) => {
      const schema = keywordOf(part, "propertyNames");
      return schema === undefined ? [] : [{ schema, root: part.root }];
    });
    const names = facts.onlyNames;
    const text: Sub = { schema: { type: "string" }, root: {} };
    if (names === undefined) return comparison.gaps([text, ...before], to, pointer);
    return [...names].flatMap((name) =>
      comparison.gaps([{ schema: { const: name }, root: {} }, ...before], to, pointer),
    );
  }),
  unevaluatedProperties: whereObjects((facts, asked, comparison) => {
    // Beside additionalProperties nothing is left to it.
    if (asked.value === true || keywordOf(asked.sub, "additionalProperties") !== undefined) return [];
    if (asked.value !== false) return no(asked, "has changed, and what that means cannot be told");
    const evaluated = new Set(evaluatedNames(facts, asked.sub, comparison));
    const lost =
      facts.onlyNames === undefined ? undefined : [...facts.onlyNames].filter((name) => !evaluated.has(name));
    const possible = lost?.filter((name) => comparison.gaps(facts.member(name), nothing, "").length > 0);
    if (possible === undefined) return no(asked, "takes no further members any more");
    return possible.length === 0 ? [] : no(asked, `may not take ${possible.join(", ")} any more`);
  }),
};

const nothing: Sub = { schema: false, root: {} };

function whereObjects(rule: Rule): Rule {
  return (facts, asked, comparison) => (facts.types.has("object") ? rule(facts, asked, comparison) : []);
}

/** Members that `properties` does not name; those that a pattern might match are asked for both. */
function furtherMembers(facts: Facts, { sub, value, pointer }: Asked, comparison: Comparison): readonly SchemaGap[] {
  const to = { schema: value, root: sub.root };
  const known = mapOf(sub, "properties");
  const named = [...facts.names].filter((name) => !known.has(name));
  const lost = named.filter((name) => comparison.gaps(facts.member(name), to, pointer).length > 0);
  // What matches a pattern that both have is asked for there.
  const others = facts.others(mapOf(sub, "patternProperties")).flatMap((each) => comparison.gaps(each, to, pointer));
  const reason = (what: string): string =>
    value === false ? `takes no ${what} any more` : `may not take ${what} as they were`;
  return [
    ...(lost.length === 0 ? [] : [{ pointer, reason: reason(`member ${lost.join(", ")}`) }]),
    ...(others.length === 0 ? [] : [{ pointer, reason: reason("further members") }]),
  ];
}

/** Members that a schema surely looks at, whatever the value. */
function evaluatedNames(facts: Facts, sub: Sub, comparison: Comparison, depth = 0): readonly string[] {
  if (depth > evaluationDepthMax) return [];
  const target = followRef(keywordOf(sub, "$ref") ?? null, sub.root);
  const unions = ["anyOf", "oneOf"].flatMap((keyword) => listOf(sub, keyword));
  const taken = unions.filter((branch) => comparison.gapsOf(facts, branch, "").length === 0);
  const further = [...(target === undefined ? [] : [target]), ...listOf(sub, "allOf"), ...taken];
  return [
    ...mapOf(sub, "properties").keys(),
    ...further.flatMap((each) => evaluatedNames(facts, each, comparison, depth + 1)),
  ];
}

const evaluationDepthMax = 16;
