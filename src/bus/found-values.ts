/** What was redacted in an event, so that it can be taken out of the texts that speak of the event too. */
import { redactedValue } from "../kernel/index.js";

/** Different values, and their characters in all; of more, texts are withheld as a whole. */
const valuesMax = 256;
const charactersMax = 16_384;
/** Shorter values are taken out where they stand alone only: `12` of `12 days`, not of `2012`. */
const anywhereFrom = 4;
/** Characters of a text that are kept at most. */
const textCharactersMax = 8_000;

const withheld = "[withheld]";
const special = /[\\^$.*+?()[\]{}|]/g;
/** Neither JSON nor a URL changes it. */
const plain = /^[\w.~-]*$/;
const surrogateHalf = /\p{Cs}/gu;

/** Gathers values, then takes them out of texts. */
export class FoundValues {
  readonly #values = new Set<string>();
  #characters = 0;
  #isComplete = true;
  #forms: readonly string[] | undefined;
  #pattern: RegExp | undefined;

  /** Whether nothing needs to be taken out. */
  get isEmpty(): boolean {
    return this.#isComplete && this.#values.size === 0;
  }

  /** Adds a text or a number, as it would be printed. */
  add(value: string): void {
    if (value.trim() === "" || this.#values.has(value)) return;
    this.#characters += value.length;
    if (this.#values.size >= valuesMax || this.#characters > charactersMax) this.giveUp();
    else this.#values.add(value);
  }

  /** There are more values than can be looked for: every text is withheld from now on. */
  giveUp(): void {
    this.#isComplete = false;
  }

  /**
   * The text without the values: as they are, in either case, escaped as in JSON, or encoded as in a URL. At most 8,000 characters of it.
   * Parts of a value and other encodings of it are not found.
   */
  replace(text: string): string {
    if (!this.#isComplete) return withheld;
    if (this.#values.size === 0) return text;
    this.#forms ??= [...new Set([...this.#values].flatMap(formsOf))].toSorted((a, b) => b.length - a.length);
    // A value that begins within what is kept is seen to its end.
    const seen = text.slice(0, textCharactersMax + (this.#forms[0]?.length ?? 0));
    const both = `${seen}\n${folded(seen)}`;
    // Making a pattern costs more than everything else, and most texts hold no value.
    if (!this.#forms.some((form) => both.includes(form))) return seen.slice(0, textCharactersMax);
    this.#pattern ??= patternOf(this.#forms);
    let kept = "";
    let from = 0;
    for (const match of seen.matchAll(this.#pattern)) {
      if (match.index >= textCharactersMax) break;
      kept += seen.slice(from, match.index) + redactedValue;
      from = match.index + match[0].length;
    }
    return kept + seen.slice(from, Math.max(from, textCharactersMax));
  }
}

function patternOf(forms: readonly string[]): RegExp {
  const parts = forms.map((form) => {
    const literal = form.replace(special, "\\$&");
    return form.length < anywhereFrom ? `(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])` : literal;
  });
  return new RegExp(parts.join("|"), "giu");
}

/** In lower case; also as it is where that has another length, as that of `İ`: no pattern takes one for the other. */
function formsOf(value: string): readonly string[] {
  if (plain.test(value)) return [folded(value)];
  const forms = [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value.replace(surrogateHalf, "\ufffd"))];
  return forms.flatMap((form) => {
    const lower = folded(form);
    return lower.length === form.length ? [lower] : [lower, form];
  });
}

/** In lower case, with the same sigma at the end of a word as within. */
function folded(text: string): string {
  return text.toLowerCase().replaceAll("ς", "σ");
}
