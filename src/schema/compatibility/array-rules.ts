/** Rules of the keywords about arrays. */

import { listOf } from "../sub.js";
import type { Rule } from "./rule.js";
import { atLeast, atMost, no } from "./value-rules.js";

/** See the file's first line. */
export const arrayRules: Readonly<Record<string, Rule>> = {
  minItems: atLeast("array", "minItems", "takes no such short lists any more"),
  maxItems: atMost("array", "maxItems", "takes no such long lists any more"),
  uniqueItems: (facts, asked) => {
    if (asked.value === false || !facts.types.has("array")) return [];
    const isUnique = facts.says("uniqueItems", true) || (facts.extreme("maxItems", "smallest") ?? 2) < 2;
    return isUnique ? [] : no(asked, "takes no lists with repetitions any more");
  },
  prefixItems: (facts, { sub, pointer }, comparison) => {
    if (!facts.types.has("array")) return [];
    const itemsMax = facts.extreme("maxItems", "smallest") ?? Number.POSITIVE_INFINITY;
    return listOf(sub, "prefixItems").flatMap((element, index) =>
      index >= itemsMax ? [] : comparison.gaps(facts.element(index), element, `${pointer}/${index}`),
    );
  },
  items: (facts, { sub, value, pointer }, comparison) => {
    if (!facts.types.has("array")) return [];
    const itemsMax = facts.extreme("maxItems", "smallest") ?? Number.POSITIVE_INFINITY;
    const first = listOf(sub, "prefixItems").length;
    // From the longest prefix on every element has the same schemas.
    const last = Math.max(first, facts.prefixLength);
    const places = Array.from({ length: last - first + 1 }, (_, index) => first + index);
    const items = { schema: value, root: sub.root };
    return places.flatMap((index) => (index >= itemsMax ? [] : comparison.gaps(facts.element(index), items, pointer)));
  },
};
