/**
 * A controller looks at a resource again although nothing has happened to it: what a replay asks it to do.
 *
 * It decides on the resource as it is, so history that was decided on already leads to the same events with the same ids,
 * and nothing is added. Work rows stay as they are: neither leases nor attempts nor timers of the controller are touched.
 */
import { type AppDefinition, type AppendItem, deadLetterComponent, type Resource } from "../event/index.js";
import { type Clock, EventplaneError, isEventplaneError, type TenantId } from "../kernel/index.js";
import type { Logger } from "../observe/index.js";
import type { ResourceLoader } from "../store/index.js";
import { deadLetterId, describeFailure, type WorkFailure, type WorkKey, type WorkStore } from "../work/index.js";
import type { Appending } from "./attempt.js";
import { leadsOutside } from "./consequences.js";
import { decide, isOpen } from "./decide.js";
import { assertOwnRefusal } from "./emit-refusal.js";
import { type Reconciler, reconcilesHere } from "./reconciler.js";

/**
 * What came of it. `unchanged`: nothing to add. `changed`: events were added, or would be. `withheld`: they would lead
 * outside the resource, which was not allowed. `blocked`: it has a dead letter there. `closed`: there is nothing left to decide on. `failed`: it threw.
 */
export type LookResult = "unchanged" | "changed" | "withheld" | "blocked" | "closed" | "failed";

/** One look's end. */
export interface LookEnd {
  readonly result: LookResult;
  /** Of `failed`. */
  readonly failure?: WorkFailure;
}

/** Which controller looks, and what may come of it. */
export interface LookOptions {
  readonly controller: string;
  /** Decides, and adds nothing. */
  readonly dryRun: boolean;
  /**
   * What it decides may lead outside: to calls that were not asked for before, by itself or by controllers that see what it
   * adds, to intents on other resources, and to looks at a later time.
   */
  readonly allowEffects: boolean;
}

/** What looking again needs. */
export interface LookAgainOptions {
  readonly app: AppDefinition;
  readonly work: Pick<WorkStore, "wake" | "deadLetter">;
  /** The coalescer of the runtime tier. */
  readonly appending: Appending;
  readonly loader: ResourceLoader;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Runs the controllers; default: this thread. */
  readonly reconciler?: Reconciler;
}

const conflictsMax = 5;

/** Lets controllers look again. */
export class LookAgain {
  readonly #options: LookAgainOptions;
  readonly #reconciler: Reconciler;

  constructor(options: LookAgainOptions) {
    this.#options = options;
    this.#reconciler = options.reconciler ?? reconcilesHere(options);
  }

  /**
   * One look at one resource.
   *
   * @throws EventplaneError when the store was not able to, or a key is not known here yet
   */
  async run(
    tenantId: TenantId,
    stream: { readonly aggregateType: string; readonly aggregateId: string },
    options: LookOptions,
  ): Promise<LookEnd> {
    try {
      for (let round = 0; round < conflictsMax; round++) {
        const resource = await this.#options.loader.load(tenantId, stream);
        const result = await this.#look(resource, options);
        if (result !== undefined) return { result };
      }
      throw new EventplaneError("busy", `${stream.aggregateType}/${stream.aggregateId} changes all the time.`);
    } catch (error) {
      if (isNobodysFault(error)) throw error;
      const { code, message } = describeFailure(error);
      return { result: "failed", failure: { code, message } };
    }
  }

  /** Undefined: the stream moved meanwhile. */
  async #look(resource: Resource | undefined, options: LookOptions): Promise<LookResult | undefined> {
    const { controller, dryRun, allowEffects } = options;
    if (!isOpen(resource)) return "closed";
    const { tenantId, aggregateType, aggregateId } = resource;
    const key = { tenantId, aggregateType, aggregateId, component: controller };
    if (isStalled(resource, controller) && (await this.#hasDeadLetter(key))) return "blocked";
    const deciding = { ...this.#options, reconciler: this.#reconciler, checkDeterminism: false };
    const { items, requeueAfterMs } = await decide(key, resource, deciding);
    if (items.length > 0 && !allowEffects && (await leadsOutside(items, resource, deciding))) return "withheld";
    if (dryRun) return items.length === 0 ? "unchanged" : "changed";
    const result = items.length === 0 ? "unchanged" : await this.#append({ claim: key, resource, items });
    if (result !== undefined && allowEffects && requeueAfterMs !== null)
      await this.#options.work.wake(key, { dueAfterMs: requeueAfterMs });
    return result;
  }

  async #hasDeadLetter(key: WorkKey): Promise<boolean> {
    return (await this.#options.work.deadLetter(key.tenantId, deadLetterId(key))) !== undefined;
  }

  async #append(decided: {
    readonly claim: WorkKey;
    readonly resource: Resource;
    readonly items: readonly AppendItem[];
  }): Promise<LookResult | undefined> {
    const outcome = await this.#options.appending.append({ tenantId: decided.claim.tenantId, items: decided.items });
    if (outcome.result === "appended") return "changed";
    if (outcome.result === "repeated") return "unchanged";
    assertOwnRefusal(outcome, decided);
    return undefined;
  }
}

/** It gave up once; somebody may have discarded its dead letter since. */
function isStalled({ conditions }: Resource, controller: string): boolean {
  const component = deadLetterComponent(controller);
  return conditions.some((condition) => condition.type === "Stalled" && condition.component === component);
}

function isNobodysFault(error: unknown): boolean {
  if (!isEventplaneError(error)) return false;
  return (
    error.code === "key_unknown" || error.code === "aborted" || (error.retryable && error.code !== "reconcile_timeout")
  );
}
