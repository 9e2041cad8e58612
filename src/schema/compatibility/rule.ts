/** What a rule of the comparison is given, and what it answers. */
import type { JsonValue } from "../../kernel/index.js";
import type { Sub } from "../sub.js";
import type { Facts } from "./facts.js";

/** A place at which a schema may not take what the other takes. */
export interface SchemaGap {
  /** JSON pointer into the schema that would have to take it. */
  readonly pointer: string;
  /** Why, in words that go on after the pointer. */
  readonly reason: string;
}

/** A keyword of the schema that has to take everything, at its place. */
export interface Asked {
  readonly sub: Sub;
  readonly keyword: string;
  readonly value: JsonValue;
  readonly pointer: string;
}

/** How rules look further down. */
export interface Comparison {
  /** The gaps between what all these schemas take together, at a member or an element, and a schema for it. */
  gaps(from: readonly Sub[], to: Sub, pointer: string): readonly SchemaGap[];
  /** The gaps between what is known of a value and a further schema for the same value. */
  gapsOf(facts: Facts, to: Sub, pointer: string): readonly SchemaGap[];
}

/** Holds what is known of a value against one keyword. */
export type Rule = (facts: Facts, asked: Asked, comparison: Comparison) => readonly SchemaGap[];
