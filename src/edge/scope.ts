/**
 * What a key may touch of what its grants allow: types of events, by name (`organization.create`) or by beginning
 * (`organization.*`), for all of its grants or for one (`reader:organization.*`). A stream token may be limited to one kind, one
 * aggregate, one stream or one correlation besides.
 *
 * A scope is decided in code, beside the equality of tenants and before the rules. What is outside of it looks as if it
 * were not there.
 */
import type { EventRow } from "../event/index.js";
import type { ReadFilter } from "../store/index.js";

/** What a scope may be limited to besides types; all given parts must match. */
export type ScopePart = Pick<ReadFilter, "kind" | "aggregateType" | "aggregateId" | "correlationId">;

/** What of an event decides whether it is inside. */
export type Scoped = Pick<EventRow, "type" | "kind" | "aggregateType" | "aggregateId" | "correlationId">;

const partMembers = ["kind", "aggregateType", "aggregateId", "correlationId"] as const;

/** What somebody may touch by one action. */
export class Scope {
  /** Equal scopes have equal keys. */
  readonly key: string;
  /** As it was given. */
  readonly part: ScopePart;
  readonly #patterns: readonly string[] | undefined;
  readonly #types = new Set<string>();
  readonly #beginnings: string[] = [];
  /** The members of the part that are given; most scopes have none. */
  readonly #members: readonly (typeof partMembers)[number][];

  /** @param patterns types, and beginnings with `.*` behind; undefined: all types */
  constructor(patterns: readonly string[] | undefined, part: ScopePart = {}) {
    this.#patterns = patterns;
    this.part = part;
    this.#members = partMembers.filter((member) => part[member] !== undefined);
    const types = patterns === undefined ? "*" : [...patterns].sort().join(" ");
    this.key = [types, ...this.#members.map((member) => `${member}=${part[member]}`)].join(" ");
    for (const pattern of patterns ?? []) {
      if (pattern.endsWith(".*")) this.#beginnings.push(pattern.slice(0, -1));
      else this.#types.add(pattern);
    }
  }

  /** Whether this event may be touched. */
  allows(event: Scoped): boolean {
    return this.allowsType(event.type) && this.#members.every((member) => this.part[member] === event[member]);
  }

  /** Whether events of this type may be touched, if not all of them. */
  allowsType(type: string): boolean {
    const { aggregateType } = this.part;
    if (aggregateType !== undefined && !type.startsWith(`${aggregateType}.`)) return false;
    if (this.#patterns === undefined) return true;
    return this.#types.has(type) || this.#beginnings.some((beginning) => type.startsWith(beginning));
  }

  /** Whether every event of this type may be touched. */
  allowsEvery(type: string): boolean {
    return this.#members.length === 0 && this.allowsType(type);
  }

  /** Whether all events of an aggregate may be touched, and so its resources; of one resource when its id is given. */
  allowsAggregate(aggregateType: string, aggregateId?: string): boolean {
    const { kind, correlationId, ...stream } = this.part;
    if (kind !== undefined || correlationId !== undefined) return false;
    if (stream.aggregateType !== undefined && stream.aggregateType !== aggregateType) return false;
    if (stream.aggregateId !== undefined && stream.aggregateId !== aggregateId) return false;
    return this.#patterns === undefined || this.#beginnings.includes(`${aggregateType}.`);
  }

  /** Whether any event of an aggregate may be touched. */
  touches(aggregateType: string): boolean {
    if ((this.part.aggregateType ?? aggregateType) !== aggregateType) return false;
    if (this.#patterns === undefined) return true;
    const beginning = `${aggregateType}.`;
    const has = (text: string): boolean => text.startsWith(beginning);
    return this.#beginnings.some(has) || [...this.#types].some(has);
  }

  /** The filter with what the scope leaves of it where one column of the log says it; {@link allows} decides on what is read. */
  narrow<Filter extends ReadFilter>(filter: Filter): Filter {
    return this.#narrowTypes({ ...this.part, ...filter });
  }

  /** What both let through. */
  within(other: Scope | undefined): Scope {
    if (other === undefined) return this;
    return new Scope(commonPatterns(this.#patterns, other.#patterns), { ...this.part, ...other.part });
  }

  #narrowTypes<Filter extends ReadFilter>(filter: Filter): Filter {
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

  /**
   * @param texts undefined: the grants are not limited by types
   * @param narrowed what a token leaves of all of them
   */
  constructor(texts: readonly string[] | undefined, narrowed?: Scope) {
    this.texts = texts ?? [];
    const entries = scopedGrants.flatMap((grant): readonly (readonly [string, Scope])[] => {
      const own = texts === undefined ? undefined : new Scope(patternsFor(grant, texts));
      const scope = narrowed?.within(own) ?? own;
      return scope === undefined ? [] : [[grant, scope]];
    });
    this.#byGrant = new Map(entries);
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
  return scope === undefined ? rows : rows.filter((row) => scope.allows(row));
}

function patternsFor(grant: string, texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => {
    const [first = "", second] = text.split(":");
    if (second === undefined) return [first];
    return first === grant ? [second] : [];
  });
}

/** Of two lists of patterns, what both mean; undefined means everything. */
function commonPatterns(
  some: readonly string[] | undefined,
  others: readonly string[] | undefined,
): readonly string[] | undefined {
  if (some === undefined || others === undefined) return some ?? others;
  const inside = (narrow: string, wide: string): boolean =>
    narrow === wide || (wide.endsWith(".*") && narrow.startsWith(wide.slice(0, -1)));
  const of = (list: readonly string[], within: readonly string[]): readonly string[] =>
    list.filter((narrow) => within.some((wide) => inside(narrow, wide)));
  return [...new Set([...of(some, others), ...of(others, some)])];
}
