/**
 * What a key may touch of what its grants allow: types of events, by name (`organization.create`) or by beginning
 * (`organization.*`), for all of its grants or for one (`reader:organization.*`).
 *
 * A scope is decided in code, beside the equality of tenants and before the rules. What is outside of it looks as if it
 * were not there.
 */
import type { EventRow } from "../event/index.js";
import type { ReadFilter } from "../store/index.js";

/** What one scope of a key looks like. */
export const scopePattern =
  "^((publisher|reader|subscriber):)?[a-z][a-z0-9_-]{0,63}(\\.[a-z0-9][a-z0-9_-]*){0,6}\\.(\\*|[a-z0-9][a-z0-9_-]*)$";

/** At most so many scopes has a key. */
export const scopesMax = 64;

/** The types that somebody may touch by one action. */
export class Scope {
  /** Equal scopes have equal keys. */
  readonly key: string;
  readonly #types = new Set<string>();
  readonly #beginnings: string[] = [];

  /** @param patterns types, and beginnings with `.*` behind */
  constructor(patterns: readonly string[]) {
    this.key = [...patterns].sort().join(" ");
    for (const pattern of patterns) {
      if (pattern.endsWith(".*")) this.#beginnings.push(pattern.slice(0, -1));
      else this.#types.add(pattern);
    }
  }

  /** Whether events of this type may be touched. */
  allows(type: string): boolean {
    return this.#types.has(type) || this.#beginnings.some((beginning) => type.startsWith(beginning));
  }

  /** Whether all types of an aggregate may be touched, and so its resources. */
  allowsAggregate(aggregateType: string): boolean {
    return this.#beginnings.includes(`${aggregateType}.`);
  }

  /** Whether any type of an aggregate may be touched. */
  touches(aggregateType: string): boolean {
    const beginning = `${aggregateType}.`;
    const has = (text: string): boolean => text.startsWith(beginning);
    return this.#beginnings.some(has) || [...this.#types].some(has);
  }

  /** The filter with what the scope leaves of it where one column of the log says it; {@link allows} decides on what is read. */
  narrow<Filter extends ReadFilter>(filter: Filter): Filter {
    const [beginning, ...others] = this.#beginnings;
    if (filter.type !== undefined || filter.aggregateType !== undefined) return filter;
    if (beginning === undefined && this.#types.size === 1) return { ...filter, type: [...this.#types][0] };
    if (beginning === undefined || others.length > 0 || this.#types.size > 0) return filter;
    return { ...filter, aggregateType: beginning.split(".", 1)[0] };
  }
}

/** The scopes of a key, read once. */
export class Scopes {
  /** As they were given. */
  readonly texts: readonly string[];
  readonly #byGrant: ReadonlyMap<string, Scope>;

  constructor(texts: readonly string[]) {
    this.texts = texts;
    this.#byGrant = new Map(scopedGrants.map((grant) => [grant, new Scope(patternsFor(grant, texts))]));
  }

  /** What is left of a grant. */
  of(grant: string): Scope | undefined {
    return this.#byGrant.get(grant);
  }
}

/** Those that a scope may limit: an admin makes keys without any. */
const scopedGrants = ["publisher", "reader", "subscriber"] as const;

/** The rows that may be seen. */
export function visibleRows(rows: readonly EventRow[], scope: Scope | undefined): readonly EventRow[] {
  return scope === undefined ? rows : rows.filter(({ type }) => scope.allows(type));
}

function patternsFor(grant: string, texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => {
    const [first = "", second] = text.split(":");
    if (second === undefined) return [first];
    return first === grant ? [second] : [];
  });
}
