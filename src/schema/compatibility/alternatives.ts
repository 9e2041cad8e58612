/**
 * What a schema takes, as a union of alternatives: each a list of schemas that all hold, whose unions are decided.
 *
 * The alternatives may take more than the schema did (what is left out of one narrows nothing), never less. So whatever takes
 * all alternatives takes all that the schema takes.
 */
import type { JsonValue } from "../../kernel/index.js";
import { followRef, keywordOf, listOf, type Sub } from "../sub.js";
import { Facts } from "./facts.js";

/** More alternatives than these are not told apart. */
const alternativesMax = 256;
/** So deep is looked for a member that nothing fits. */
const emptinessDepthMax = 6;

/** Steps that a comparison may still take. */
export interface Budget {
  steps: number;
}

/** The comparison takes longer than it may. */
export class TooManySteps extends Error {}

/** Takes steps. @throws TooManySteps */
export function spend(budget: Budget, steps = 1): void {
  budget.steps -= steps;
  if (budget.steps < 0) throw new TooManySteps();
}

/** The alternatives of schemas that all hold; none when nothing can fit them. @throws TooManySteps */
export function alternativesOf(subs: readonly Sub[], budget: Budget, depth = 0): readonly Facts[] {
  spend(budget);
  const flat = flatten(subs);
  if (flat === undefined) return [];
  let choices: readonly (readonly Sub[])[] = [[]];
  for (const union of flat.unions) {
    if (choices.length * union.length > alternativesMax) continue;
    choices = choices.flatMap((choice) => union.map((branch) => [...choice, branch]));
  }
  const together = (others: readonly Sub[]): Facts => {
    spend(budget, 1 + others.length);
    return new Facts([...flat.parts, ...others]);
  };
  const alternatives = choices.flatMap((choice) =>
    choice.length === 0 ? [together([])] : alternativesOf(choice, budget, depth).map(({ parts }) => together(parts)),
  );
  return alternatives.filter((facts) => !isImpossible(facts, budget, depth));
}

/** All that holds together, references and `allOf` followed; undefined when one of them takes nothing. */
function flatten(
  subs: readonly Sub[],
): { readonly parts: readonly Sub[]; readonly unions: readonly (readonly Sub[])[] } | undefined {
  const parts: Sub[] = [];
  const unions: (readonly Sub[])[] = [];
  const seen = new Set<JsonValue>();
  const waiting = [...subs];
  for (let sub = waiting.shift(); sub !== undefined; sub = waiting.shift()) {
    if (sub.schema === false) return undefined;
    if (sub.schema === true || seen.has(sub.schema)) continue;
    seen.add(sub.schema);
    parts.push(sub);
    const target = followRef(keywordOf(sub, "$ref") ?? null, sub.root);
    if (target !== undefined) waiting.push(target);
    waiting.push(...listOf(sub, "allOf"));
    unions.push(...["anyOf", "oneOf"].map((keyword) => listOf(sub, keyword)).filter(({ length }) => length > 0));
  }
  return { parts, unions };
}

/** True when surely nothing fits. */
function isImpossible(facts: Facts, budget: Budget, depth: number): boolean {
  if (facts.types.size === 0 || facts.values?.length === 0) return true;
  if (facts.types.size > 1 || !facts.types.has("object") || depth >= emptinessDepthMax) return false;
  return [...facts.required].some((name) => alternativesOf(facts.member(name), budget, depth + 1).length === 0);
}
