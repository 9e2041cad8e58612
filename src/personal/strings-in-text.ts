/** Where the strings of a JSON text are that somebody asks for, so that they can be replaced without printing the rest again. */
import { EventplaneError } from "../kernel/index.js";

/** What is looked for at a place of a value and below it. */
export interface Looking<Found> {
  /** What to remember of a string here; undefined when it is not looked for. */
  readonly here: Found | undefined;
  /** The same for a member, or an element by its index; undefined when nothing is looked for there. */
  below(step: string | number): Looking<Found> | undefined;
}

/** A string that was looked for. */
export interface FoundString<Found> {
  readonly found: Found;
  /** JSON pointer. */
  readonly pointer: string;
  /** Places of its quotes in the text: from, and behind. */
  readonly start: number;
  readonly end: number;
}

/**
 * The strings of a JSON text that are looked for, in the order of the text. The text has passed the scanner: it is JSON, and
 * no deeper than that allows.
 */
export function stringsIn<Found>(text: string, looking: Looking<Found>): readonly FoundString<Found>[] {
  const walk = new Walk<Found>(text);
  walk.value(looking, "");
  return walk.found;
}

/** The text with strings replaced by other JSON texts; `found` in the order of the text. */
export function replaceStrings<Found>(
  text: string,
  found: readonly FoundString<Found>[],
  replaced: (found: FoundString<Found>, json: string) => string,
): string {
  const parts: string[] = [];
  let from = 0;
  for (const each of found) {
    parts.push(text.slice(from, each.start), replaced(each, text.slice(each.start, each.end)));
    from = each.end;
  }
  parts.push(text.slice(from));
  return parts.join("");
}

/** The JSON pointer (RFC 6901) of a member or an element, whole. */
export function belowPointer(pointer: string, step: string | number): string {
  return `${pointer}/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

const quote = 34;
const backslash = 92;
const space = /[ \t\n\r]*/y;
const scalar = /[^,\]}\s]+/y;

class Walk<Found> {
  readonly found: FoundString<Found>[] = [];
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(looking: Looking<Found> | undefined, pointer: string): void {
    this.#skip(space);
    switch (this.#text[this.#at]) {
      case '"':
        this.#string(looking?.here, pointer);
        break;
      case "{":
        this.#members(looking, pointer);
        break;
      case "[":
        this.#elements(looking, pointer);
        break;
      default:
        this.#skip(scalar);
    }
    this.#skip(space);
  }

  #string(found: Found | undefined, pointer: string): void {
    const start = this.#at;
    this.#at = endOfString(this.#text, start);
    if (found !== undefined) this.found.push({ found, pointer, start, end: this.#at });
  }

  #members(looking: Looking<Found> | undefined, pointer: string): void {
    this.#at++;
    for (this.#skip(space); this.#text[this.#at] === '"'; this.#skip(space)) {
      const start = this.#at;
      this.#at = endOfString(this.#text, start);
      const name = JSON.parse(this.#text.slice(start, this.#at)) as string; // between its quotes
      this.#skip(space);
      this.#at++; // the colon
      this.value(looking?.below(name), belowPointer(pointer, name));
      if (this.#text[this.#at] === ",") this.#at++;
    }
    this.#at++;
  }

  #elements(looking: Looking<Found> | undefined, pointer: string): void {
    this.#at++;
    this.#skip(space);
    for (let index = 0; this.#text[this.#at] !== "]"; index++) {
      if (this.#at >= this.#text.length) throw new EventplaneError("internal", "A stored text is no JSON.");
      this.value(looking?.below(index), belowPointer(pointer, index));
      if (this.#text[this.#at] === ",") this.#at++;
    }
    this.#at++;
  }

  #skip(what: RegExp): void {
    what.lastIndex = this.#at;
    if (what.test(this.#text)) this.#at = what.lastIndex;
  }
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) return at + 1;
    if (code === backslash) at++;
  }
  throw new EventplaneError("internal", "A stored text is no JSON.");
}
