/**
 * Cedar behind one adapter, so that its ways of failing open are closed in one place.
 *
 * Cedar passes over a policy that errors, a `forbid` too. So an answer allows only if it is a success, says allow, and no
 * policy erred; everything else, a trap of the engine included, denies.
 */
import type * as CedarModule from "@cedar-policy/cedar-wasm/nodejs";
import { assert, PLATFORM_TENANT_ID } from "../../kernel/index.js";
import { type CedarQuestion, entitiesOf } from "./entities.js";
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

/** Parsed sets kept in the engine. It has no way to drop one, so their places are used again. */
const preparedMax = 256;

const firstQuestion: Question = {
  principal: { type: "system", id: "edge", tenantId: PLATFORM_TENANT_ID, grants: new Set() },
  action: "Read",
  tenantId: PLATFORM_TENANT_ID,
  resource: "tenant",
};

let instances = 0;

/** Rules with policy sets. */
export class Cedar {
  readonly #module: typeof CedarModule;
  /** The engine's memory is shared by all instances of a process. */
  readonly #instance = ++instances;
  /** Hash → place; the one that was used last is at the end. */
  readonly #places = new Map<string, number>();

  private constructor(module: typeof CedarModule) {
    this.#module = module;
  }

  /**
   * Loads the engine, 4 MB of WebAssembly, and asks it something, so that V8 compiles what rulings need before somebody
   * waits for one: some 150 ms in all on the first call of a process.
   */
  static async load(): Promise<Cedar> {
    const cedar = new Cedar(await import("@cedar-policy/cedar-wasm/nodejs"));
    const { failure } = cedar.decide(basePolicySet, entitiesOf(firstQuestion));
    assert(failure === undefined, "the base policies can be asked");
    return cedar;
  }

  /** What the set says to the question. Never throws: what fails denies. */
  decide(set: PolicySet, question: CedarQuestion): Verdict {
    try {
      const place = this.#prepare(set);
      if (place === undefined) return denied("the policy set cannot be read");
      const answer = this.#module.statefulIsAuthorized({ ...question, preparsedPolicySetId: place });
      if (answer.type !== "success") return denied("the question cannot be read");
      const { decision, diagnostics } = answer.response;
      if (diagnostics.errors.length > 0) {
        return denied(`policies erred: ${diagnostics.errors.map(({ policyId }) => policyId).join(", ")}`);
      }
      return { allowed: decision === "allow", policies: [...diagnostics.reason].sort() };
    } catch (error) {
      return denied(error instanceof Error ? error.name : "the engine failed");
    }
  }

  /** The name of the parsed set in the engine; undefined when it cannot be parsed. */
  #prepare({ hash, policies }: PolicySet): string | undefined {
    const known = this.#places.get(hash);
    const place = known ?? this.#freePlace();
    const name = `${this.#instance}/${place}`;
    if (known === undefined) {
      const parsed = this.#module.preparsePolicySet(name, { staticPolicies: { ...policies } });
      if (parsed.type !== "success") return undefined;
    }
    this.#places.delete(hash);
    this.#places.set(hash, place);
    return name;
  }

  #freePlace(): number {
    const [oldest] = this.#places;
    if (this.#places.size < preparedMax || oldest === undefined) return this.#places.size;
    this.#places.delete(oldest[0]);
    return oldest[1];
  }
}

function denied(failure: string): Verdict {
  return { allowed: false, policies: [], failure };
}
