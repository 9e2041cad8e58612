/**
 * Cedar behind one adapter, so that its ways of failing open are closed in one place.
 *
 * Cedar passes over a policy that errs, a `forbid` too. So an answer allows only if it is a success, says allow, and no
 * policy erred; everything else, a trap of the engine included, denies.
 */
import { createRequire } from "node:module";
import type * as CedarModule from "@cedar-policy/cedar-wasm/nodejs";
import { assert, PLATFORM_TENANT_ID } from "../../kernel/index.js";
import { type CedarQuestion, cedarSchema, entitiesOf } from "./entities.js";
import { basePolicySet, type PolicySet } from "./policy-set.js";
import type { Question } from "./ruling.js";

/** What the engine said. */
export interface Verdict {
  readonly allowed: boolean;
  /** Ids of the policies that decided. */
  readonly policies: readonly string[];
  /** Why nothing could be decided, without any text of a policy; undefined when it could. */
  readonly failure?: string;
}

/** What the engine has to say about a policy; `at` is the first UTF-16 unit of the policy's text that it is about. */
export interface Finding {
  readonly at: number;
  readonly message: string;
}

/** Parsed sets kept in the engine. It has no way to drop one, so their places are used again. */
const preparedMax = 256;
/** Sets on which an engine broke down; they are denied without a question. */
const condemnedMax = 1_000;
const findingsMax = 10;
const findingCharactersMax = 500;

const firstQuestion: Question = {
  principal: { type: "system", id: "edge", tenantId: PLATFORM_TENANT_ID, grants: new Set() },
  action: "Read",
  tenantId: PLATFORM_TENANT_ID,
  resource: "tenant",
};

const require = createRequire(import.meta.url);

/** Rules with policy sets, in an engine of its own. */
export class Cedar {
  #engine: typeof CedarModule = newEngine();
  /** Hash → place; the one that was used last is at the end. */
  readonly #places = new Map<string, number>();
  readonly #condemned = new Set<string>();

  /**
   * Loads the engine, 4 MB of WebAssembly, and asks it something, so that V8 compiles what rulings need before somebody
   * waits for one: some 150 ms in all for the first of a process.
   */
  constructor() {
    const { failure } = this.decide(basePolicySet, entitiesOf(firstQuestion));
    assert(failure === undefined, "the base policies can be asked");
  }

  /** What the set says to the question. Never throws: what fails denies. */
  decide(set: PolicySet, question: CedarQuestion): Verdict {
    if (this.#condemned.has(set.hash)) return denied("the engine broke down on this policy set before");
    try {
      const place = this.#prepare(set);
      if (place === undefined) return denied("the policy set cannot be read");
      const answer = this.#engine.statefulIsAuthorized({ ...question, preparsedPolicySetId: String(place) });
      if (answer.type !== "success") return denied("the question cannot be read");
      const { decision, diagnostics } = answer.response;
      if (diagnostics.errors.length > 0) {
        return denied(`policies erred: ${diagnostics.errors.map(({ policyId }) => policyId).join(", ")}`);
      }
      return { allowed: decision === "allow", policies: [...diagnostics.reason].sort() };
    } catch (error) {
      if (isBreakdown(error)) this.#condemn(set.hash);
      return denied(error instanceof Error ? error.name : "the engine failed");
    }
  }

  /** What is wrong with one policy, and what is only odd. Give it nothing that `readPolicies` did not cut and find in bounds. */
  check(id: string, text: string): { readonly errors: readonly Finding[]; readonly warnings: readonly Finding[] } {
    try {
      const answer = this.#engine.validate({ schema: cedarSchema, policies: { staticPolicies: { [id]: text } } });
      if (answer.type === "failure") return { errors: findings(answer.errors, text), warnings: [] };
      const errors = answer.validationErrors.map(({ error }) => error);
      const warnings = answer.validationWarnings.map(({ error }) => error);
      return { errors: findings(errors, text), warnings: findings(warnings, text) };
    } catch (error) {
      if (isBreakdown(error)) this.#replaceEngine();
      return { errors: [{ at: 0, message: "The engine cannot take this policy." }], warnings: [] };
    }
  }

  /** The place of the parsed set in the engine; undefined when it cannot be parsed. */
  #prepare({ hash, policies }: PolicySet): number | undefined {
    const known = this.#places.get(hash);
    const place = known ?? this.#freePlace();
    if (known === undefined) {
      const parsed = this.#engine.preparsePolicySet(String(place), { staticPolicies: { ...policies } });
      if (parsed.type !== "success") return undefined;
    }
    this.#places.delete(hash);
    this.#places.set(hash, place);
    return place;
  }

  #freePlace(): number {
    const [oldest] = this.#places;
    if (this.#places.size < preparedMax || oldest === undefined) return this.#places.size;
    this.#places.delete(oldest[0]);
    return oldest[1];
  }

  #condemn(hash: string): void {
    if (this.#condemned.size >= condemnedMax) this.#condemned.clear();
    this.#condemned.add(hash);
    this.#replaceEngine();
  }

  /** An engine that broke down answers nothing any more, to nobody. */
  #replaceEngine(): void {
    this.#engine = newEngine();
    this.#places.clear();
  }
}

/** One that no edge uses: made ahead, or left by an edge that has closed. */
let spare: Cedar | undefined;

/** An engine to rule with, the spare one if there is one. */
export function takeCedar(): Cedar {
  const own = spare ?? new Cedar();
  spare = undefined;
  return own;
}

/** Keeps an engine for the next edge of this process: a reload does not load another one. */
export function keepCedar(cedar: Cedar): void {
  spare = cedar;
}

/** Makes the engine of the next edge while nobody waits for this thread. */
export function prepareCedar(): void {
  spare ??= new Cedar();
}

/** An engine with memory of its own: the package makes one when it is loaded, so it is loaded anew. */
function newEngine(): typeof CedarModule {
  const path = require.resolve("@cedar-policy/cedar-wasm/nodejs");
  delete require.cache[path];
  return require(path) as typeof CedarModule; // the package's own types
}

/** Out of stack or of memory, or a defect of the engine: a trap of WebAssembly or a RangeError. Its own errors are of class Error. */
function isBreakdown(error: unknown): boolean {
  return error instanceof Error && (error.name === "RuntimeError" || error instanceof RangeError);
}

function findings(errors: readonly CedarModule.DetailedError[], text: string): readonly Finding[] {
  const bytes = Buffer.from(text);
  return errors.slice(0, findingsMax).map(({ message, help, sourceLocations = [] }) => ({
    at: bytes.subarray(0, sourceLocations[0]?.start ?? 0).toString().length,
    message: `${message}${help === null ? "" : ` (${help})`}`.slice(0, findingCharactersMax),
  }));
}

function denied(failure: string): Verdict {
  return { allowed: false, policies: [], failure };
}
