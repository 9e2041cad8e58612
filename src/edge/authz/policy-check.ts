/** Everything that is wrong with a policy file, with the places, and without holding anybody else up. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { EventplaneError } from "../../kernel/index.js";
import type { Cedar, Finding } from "./cedar.js";
import { type PolicyPart, type PolicyProblem, placeOf, policyLimits, readPolicies } from "./policy-text.js";

/** What is to be said about a file. */
export interface PolicyReport {
  readonly policies: readonly string[];
  readonly problems: readonly PolicyProblem[];
  /** What is allowed and hardly meant, as a policy that can never hold. */
  readonly warnings: readonly PolicyProblem[];
}

/** Files that wait to be checked; the engine takes some milliseconds for each policy. */
const waitingMax = 20;

/** Checks files one after another, one policy a turn of the event loop. */
export class PolicyCheck {
  readonly #cedar: Cedar;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(cedar: Cedar) {
    this.#cedar = cedar;
  }

  /**
   * What is wrong with the file, and what is odd.
   *
   * @throws EventplaneError `busy` when 20 files wait already
   */
  async check(text: string): Promise<PolicyReport> {
    if (this.#waiting >= waitingMax)
      throw new EventplaneError("busy", "Too many policy files are being checked. Try again shortly.");
    this.#waiting++;
    const own = this.#tail.then(() => this.#checkNow(text));
    this.#tail = own.catch(() => undefined);
    try {
      return await own;
    } finally {
      this.#waiting--;
    }
  }

  async #checkNow(text: string): Promise<PolicyReport> {
    const { parts, problems } = readPolicies(text);
    const policies = parts.map(({ id }) => id);
    // The engine sees only what is in bounds.
    if (problems.length > 0) return { policies, problems, warnings: [] };
    const errors: PolicyProblem[] = [];
    const warnings: PolicyProblem[] = [];
    for (const part of parts) {
      await nextTurn();
      const found = this.#cedar.check(part.id, part.text);
      errors.push(...found.errors.map((finding) => problemOf(text, part, finding)));
      warnings.push(...found.warnings.map((finding) => problemOf(text, part, finding)));
    }
    const { problemsMax } = policyLimits;
    return { policies, problems: errors.slice(0, problemsMax), warnings: warnings.slice(0, problemsMax) };
  }
}

function problemOf(text: string, { id, offset }: PolicyPart, { at, message }: Finding): PolicyProblem {
  return { policy: id, ...placeOf(text, offset + at), message };
}
