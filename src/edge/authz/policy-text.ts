/**
 * A policy file: Cedar text with an `@id("…")` before each policy. It is cut into policies here, within bounds, before
 * the engine sees a byte of it.
 *
 * The bounds are not only for size. Text that nests 140 deep or goes on for 370 operators overflows the engine's stack, and
 * an engine that overflowed answers nothing any more, to nobody; both bounds leave it a factor of two, together.
 */

/** Bounds of what a tenant, or the platform for all, may have as policies. */
export const policyLimits = {
  textBytesMax: 32_768,
  policiesMax: 50,
  policyTokensMax: 300,
  tokensMax: 4_000,
  nestingMax: 24,
  problemsMax: 50,
} as const;

/** One policy of a file. */
export interface PolicyPart {
  readonly id: string;
  /** From its first token to its semicolon. */
  readonly text: string;
  /** Where it begins in the file, in UTF-16 units. */
  readonly offset: number;
}

/** What is wrong, and where; lines and columns count from 1. */
export interface PolicyProblem {
  /** Id of the policy, when it is known. */
  readonly policy: string | null;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** A file that was read; without problems it has all its policies. */
export interface ReadPolicies {
  readonly parts: readonly PolicyPart[];
  readonly problems: readonly PolicyProblem[];
}

interface Token {
  readonly text: string;
  readonly at: number;
}

const tokenForm = /\s+|\/\/[^\n]*|"(?:[^"\\]|\\.)*"|[A-Za-z0-9_]+|[!#-~]/suy;
const passedOver = /^(?:\s|\/\/)/;
const idForm = /^"([a-z][a-z0-9-]{0,63})"$/;
/** Control and formatting characters, which could show a reader another text than the engine reads. */
const hiddenForm = /[^\P{C}\n\r\t]/u;
const opening = "([{";
const closing = ")]}";

/** Cuts the file into its policies and says everything that keeps it from being one. */
export function readPolicies(text: string): ReadPolicies {
  return new PolicyReader(text).read();
}

/** Line and column of a place in a text. */
export function placeOf(text: string, at: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, at);
  return { line: before.split("\n").length, column: at - before.lastIndexOf("\n") };
}

class PolicyReader {
  readonly #text: string;
  readonly #parts: PolicyPart[] = [];
  readonly #problems: PolicyProblem[] = [];
  #tokens: Token[] = [];
  #tokenCount = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): ReadPolicies {
    if (Buffer.byteLength(this.#text) > policyLimits.textBytesMax) {
      this.#problem(0, `The file has more than ${policyLimits.textBytesMax} bytes.`);
      return this.#result();
    }
    const hidden = hiddenForm.exec(this.#text);
    if (hidden !== null) this.#problem(hidden.index, "A control or formatting character may not stand in a policy.");
    this.#readTokens();
    const [first] = this.#tokens;
    if (first !== undefined) this.#problem(first.at, "This policy does not end with a semicolon.");
    if (this.#parts.length > policyLimits.policiesMax)
      this.#problem(0, `The file has more than ${policyLimits.policiesMax} policies.`);
    if (this.#tokenCount > policyLimits.tokensMax)
      this.#problem(0, `The policies have more than ${policyLimits.tokensMax} tokens in all.`);
    return this.#result();
  }

  #readTokens(): void {
    for (let at = 0; at < this.#text.length; ) {
      tokenForm.lastIndex = at;
      const [found] = tokenForm.exec(this.#text) ?? [];
      if (found === undefined) {
        const what = this.#text[at] === '"' ? "This text has no end." : "This character may stand in texts only.";
        this.#problem(at, what);
        return;
      }
      if (!passedOver.test(found)) this.#take({ text: found, at });
      at += found.length;
    }
  }

  #take(token: Token): void {
    this.#tokens.push(token);
    this.#tokenCount++;
    if (opening.includes(token.text)) this.#depth++;
    if (closing.includes(token.text)) this.#depth--;
    if (this.#depth === policyLimits.nestingMax + 1 && opening.includes(token.text))
      this.#problem(token.at, `A policy nests at most ${policyLimits.nestingMax} deep.`);
    if (token.text === ";" && this.#depth === 0) this.#end(token);
  }

  #end(semicolon: Token): void {
    const tokens = this.#tokens;
    this.#tokens = [];
    const [first = semicolon] = tokens;
    const id = idOf(tokens);
    if (id === undefined) {
      const message =
        'A policy begins with @id("name"): a small letter, then small letters, digits and hyphens, at most 64.';
      this.#problem(first.at, message);
      return;
    }
    if (this.#parts.some((part) => part.id === id)) this.#problem(first.at, "Another policy has this id.", id);
    if (tokens.length > policyLimits.policyTokensMax)
      this.#problem(first.at, `A policy has at most ${policyLimits.policyTokensMax} tokens.`, id);
    const template = tokens.find(({ text }) => text === "?");
    if (template !== undefined) this.#problem(template.at, "Templates are not taken; write the policy out.", id);
    this.#parts.push({ id, text: this.#text.slice(first.at, semicolon.at + 1), offset: first.at });
  }

  #problem(at: number, message: string, policy: string | null = null): void {
    if (this.#problems.length < policyLimits.problemsMax)
      this.#problems.push({ policy, ...placeOf(this.#text, at), message });
  }

  #result(): ReadPolicies {
    return { parts: this.#parts, problems: this.#problems };
  }
}

/** What stands in the `@id` among the annotations before the policy's first word. */
function idOf(tokens: readonly Token[]): string | undefined {
  const begin = tokens.findIndex(({ text }) => text === "permit" || text === "forbid");
  const texts = tokens.slice(0, begin === -1 ? 0 : begin).map(({ text }) => text);
  const at = texts.findIndex((text, index) => text === "@" && texts[index + 1] === "id");
  if (at === -1 || texts[at + 2] !== "(" || texts[at + 4] !== ")") return undefined;
  return idForm.exec(texts[at + 3] ?? "")?.[1];
}
