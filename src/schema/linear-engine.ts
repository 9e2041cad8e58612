/** Patterns that strangers wrote run on RE2, whose time is linear in the text; V8's engine can be made to take for ever. */
import { RE2JS } from "re2js";
import type { PatternEngine } from "../kernel/index.js";

/** A compiled pattern. */
export interface LinearPattern {
  test(text: string): boolean;
  /** What it costs: steps for each character of a text, at most. */
  readonly instructions: number;
}

/** @throws Error when RE2 has no such pattern: with looking ahead or behind, references back, or more than 1,000 repetitions */
export function linearPattern(source: string): LinearPattern {
  const compiled = RE2JS.compile(RE2JS.translateRegExp(source));
  return { test: (text) => compiled.test(text), instructions: compiled.programSize() };
}

/** The engine for Ajv, which tells patterns apart by their text. */
export const linearEngine: PatternEngine = Object.assign(
  (source: string) => {
    const pattern = linearPattern(source);
    return { test: (text: string) => pattern.test(text), toString: () => `linear:${source}` };
  },
  { code: "linearEngine" },
);
