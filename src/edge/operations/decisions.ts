/** What the operations of operators share. */
import type { ErrorCode } from "../../kernel/index.js";
import { exampleReceipt } from "./examples.js";
import { type Answer, json, type Operation, type Operations } from "./operation.js";
import { shape } from "./schema-parts.js";

/** Of a body: no other members. */
export const closed = { additionalProperties: false } as const;

/** A decision of an operator. */
export const decided: Answer = {
  description: "The decision is a fact in the log; what follows from it comes a moment later.",
  content: json(shape("Decided"), { receipt: exampleReceipt }),
};

/** What appends of system facts can be refused with. */
export const factCodes: readonly ErrorCode[] = ["content_mismatch", "disk_full"];

/** The operations of several addresses that differ in a word. */
export function each<Word extends string>(
  words: Readonly<Record<Word, string>>,
  make: (word: Word, summary: string) => Readonly<Record<string, Operation>>,
): Operations {
  const names = Object.keys(words) as Word[]; // the keys of the table
  return Object.assign({}, ...names.map((word) => make(word, words[word]))) as Operations; // each gives operations
}
