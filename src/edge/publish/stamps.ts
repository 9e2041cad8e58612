/** The rulings of one publishing request, one for each type that it publishes, and the stamps that say so. */
import type { AppDefinition, CausedBy, IntentRequest } from "../../event/index.js";
import { assert, EventplaneError, formatUs, type TenantId } from "../../kernel/index.js";
import type { Authorizer } from "../authz/authorizer.js";
import type { ResourceClass, Ruling } from "../authz/ruling.js";
import type { Principal } from "../principal.js";
import { stampOf } from "../stamp.js";
import { forbidden } from "./refusal-errors.js";

/** Who publishes where, and what its stamps say beside the ruling. */
export interface StampedPublish {
  readonly principal: Principal;
  readonly tenantId: TenantId;
  readonly action: "PublishIntent" | "PublishFact";
  readonly via: string;
  readonly requestId: string;
  readonly edge: string;
  /** Microseconds since 1970. */
  readonly atUs: number;
}

/** What it asks. */
export interface StampsDependencies {
  readonly app: AppDefinition;
  readonly authorizer: Authorizer;
}

/** Rules on each type once. */
export class Stamps {
  readonly #dependencies: StampsDependencies;
  readonly #request: StampedPublish;
  readonly #rulings = new Map<string, Ruling>();
  readonly #stamps = new Map<string, CausedBy>();

  constructor(dependencies: StampsDependencies, request: StampedPublish) {
    this.#dependencies = dependencies;
    this.#request = request;
  }

  /**
   * The intents with an error in the place of each that the policies do not allow. What could not be read is asked about as
   * all of the tenant, so nobody learns of it who may publish nothing.
   *
   * @throws EventplaneError `forbidden` when they allow none
   */
  admit(intents: readonly (IntentRequest | EventplaneError)[]): readonly (IntentRequest | EventplaneError)[] {
    const admitted = intents.map((intent) => {
      return this.#rule(this.resourceOf(intent)).allowed ? intent : forbidden();
    });
    if (admitted.every((each) => each instanceof EventplaneError && each.code === "forbidden")) throw forbidden();
    return admitted;
  }

  /** The stamp of an admitted type; one object for all intents of a ruling. */
  of(type: string): CausedBy {
    const resource = classOf(this.#dependencies.app, type);
    const known = this.#stamps.get(resource);
    if (known !== undefined) return known;
    const ruling = this.#rule(resource);
    assert(ruling.allowed, "only what is allowed is stamped");
    const { principal, via, requestId, edge, atUs } = this.#request;
    const stamp = stampOf({ principal, via, requestId, ruling, edge, at: formatUs(atUs) });
    this.#stamps.set(resource, stamp);
    return stamp;
  }

  /** The class that an intent is ruled on as. */
  resourceOf(intent: Pick<IntentRequest, "type"> | EventplaneError | undefined): ResourceClass {
    if (intent === undefined || intent instanceof EventplaneError) return "tenant";
    return classOf(this.#dependencies.app, intent.type);
  }

  #rule(resource: ResourceClass): Ruling {
    const known = this.#rulings.get(resource);
    if (known !== undefined) return known;
    const { principal, tenantId, action } = this.#request;
    const ruling = this.#dependencies.authorizer.rule(principal, action, { tenantId, resource });
    this.#rulings.set(resource, ruling);
    return ruling;
  }
}

/** Types that the app does not have are one class, so that inventing them makes nobody rule anew. */
function classOf({ aggregates }: AppDefinition, type: string): ResourceClass {
  const root = type.split(".", 1)[0] ?? "";
  return aggregates.get(root)?.intents.has(type) === true ? `type:${type}` : "tenant";
}
