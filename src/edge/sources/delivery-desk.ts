/**
 * From a delivery of a source to facts in the log: signature → scanner → mapping → the way that every intent takes.
 *
 * The signature is the credential. Until it holds nothing is parsed, and unknown tenants, unknown sources, tenants without a secret and
 * wrong signatures are one answer, after the same work.
 */
import { randomBytes } from "node:crypto";
import type { Delivery, SignedDelivery, SourceDefinition, SourceFact, SourceTenant } from "../../event/index.js";
import {
  Breaker,
  type Clock,
  EventplaneError,
  isEventplaneError,
  type JsonObject,
  LruMap,
  limits,
  scanJson,
  scanLargeJson,
  type TenantId,
  turnBytes,
  uuid8,
} from "../../kernel/index.js";
import type { Logger, Metrics } from "../../observe/index.js";
import { failureFields } from "../failure-fields.js";
import type { TenantEntry } from "../platform/state.js";
import type { Grant, Principal } from "../principal.js";
import type { IntentInput } from "../publish/intent-input.js";
import type { PublishPipeline } from "../publish/pipeline.js";
import type { PublishResult } from "../publish/publish-result.js";

/** A delivery on its way in. */
export interface IncomingDelivery extends SignedDelivery {
  /** Undefined: no tenant of this name. */
  readonly tenant: TenantEntry | undefined;
  readonly sourceName: string;
  readonly requestId: string;
}

/** What the desk needs. */
export interface DeliveryDeskParts {
  readonly sources: ReadonlyMap<string, SourceDefinition>;
  readonly pipeline: Pick<PublishPipeline, "publish">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Verified deliveries in a row that came to nothing, after which a source of a tenant is left waiting, and for how long. */
const breakerOptions = { failures: 20, openMs: 10_000 } as const;
const breakersMax = 10_000;
/** A source is what it is by its type; keys cannot be that. */
const grants: ReadonlySet<Grant> = new Set();

/** Takes deliveries of all sources. */
export class DeliveryDesk {
  readonly #parts: DeliveryDeskParts;
  readonly #breakers = new LruMap<string, Breaker>(breakersMax);
  /** A source that nobody can sign for: what is checked where there is no other. */
  readonly #nobody = randomBytes(32).toString("hex");

  constructor(parts: DeliveryDeskParts) {
    this.#parts = parts;
  }

  /**
   * Adds the facts that a delivery means; a delivery that came before gives the facts that are there.
   *
   * @param onVerified called as soon as it is known who asks
   * @throws EventplaneError `source_unverified`, `delivery_expired`, `delivery_unmapped`, `busy` while the source waits; `json_*`; what a
   * publish can be refused with
   */
  async accept(
    incoming: IncomingDelivery,
    onVerified: (principal: Principal) => void,
  ): Promise<readonly PublishResult[]> {
    // What nobody declared is one label, whatever the address said.
    const source = this.#parts.sources.has(incoming.sourceName) ? incoming.sourceName : "unknown";
    try {
      const results = await this.#accept(incoming, onVerified);
      const result = results.some((each) => each.result === "created") ? "created" : (results[0]?.result ?? "nothing");
      this.#parts.metrics.delivery({ source, result });
      return results;
    } catch (error) {
      this.#parts.metrics.delivery({ source, result: isEventplaneError(error) ? error.code : "internal" });
      throw error;
    }
  }

  async #accept(
    incoming: IncomingDelivery,
    onVerified: (principal: Principal) => void,
  ): Promise<readonly PublishResult[]> {
    const { source, tenant, deliveryId } = this.#verified(incoming);
    const principal: Principal = {
      type: "source",
      id: uuid8("source", tenant.id, source.name),
      tenantId: tenant.id,
      grants,
    };
    onVerified(principal);
    const breaker = this.#breakerOf(tenant, source);
    if (breaker.room === 0) throw waiting(source);
    breaker.begin();
    try {
      const facts = await this.#facts(source, { incoming, tenant, deliveryId });
      const results = await this.#publish(source, { principal, facts, deliveryId, requestId: incoming.requestId });
      breaker.succeed();
      return results;
    } catch (error) {
      if (isEventplaneError(error) && error.retryable) breaker.forget();
      else if (breaker.fail())
        this.#parts.logger.warn(
          { source: source.name, tenant: tenant.slug },
          "A source has to wait: its deliveries come to nothing.",
        );
      throw error;
    }
  }

  #verified({ tenant, sourceName, headers, body }: IncomingDelivery): {
    readonly source: SourceDefinition;
    readonly tenant: TenantEntry;
    readonly deliveryId: string;
  } {
    const { sources, clock } = this.#parts;
    const source = sources.get(sourceName);
    const own = source === undefined || tenant === undefined ? [] : this.#secretsOf(source, tenant);
    const verifier = (source ?? [...sources.values()][0])?.verifier;
    const secrets = own.length > 0 ? own : [this.#nobody];
    try {
      const deliveryId = verifier?.verify({ headers, body }, { secrets, nowMs: clock.nowUs() / 1_000 });
      if (source !== undefined && tenant !== undefined && own.length > 0 && deliveryId !== undefined)
        return { source, tenant, deliveryId };
    } catch (error) {
      const code = isEventplaneError(error) ? error.code : "internal";
      if (code === "source_unverified" || code === "delivery_expired") throw error;
      this.#parts.logger.error({ source: sourceName, ...failureFields(error) }, "A signature could not be checked.");
    }
    throw new EventplaneError("source_unverified", "The delivery does not prove that it comes from this source.");
  }

  /** A source whose secrets cannot be had takes nothing. */
  #secretsOf(source: SourceDefinition, { id, slug }: TenantEntry): readonly string[] {
    try {
      return source.secrets({ id, slug });
    } catch (error) {
      this.#parts.logger.error(
        { source: source.name, tenant: slug, ...failureFields(error) },
        "The secrets of a source cannot be had.",
      );
      return [];
    }
  }

  async #facts(
    source: SourceDefinition,
    {
      incoming,
      tenant,
      deliveryId,
    }: { readonly incoming: IncomingDelivery; readonly tenant: TenantEntry; readonly deliveryId: string },
  ): Promise<readonly SourceFact[]> {
    const { body, headers } = incoming;
    const scanned = body.byteLength <= turnBytes ? scanJson(body) : await scanLargeJson(body);
    const { value } = scanned;
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw unmapped(source, "its body is no JSON object");
    const owner: SourceTenant = { id: tenant.id, slug: tenant.slug };
    const delivery: Delivery = { tenant: owner, deliveryId, headers, body: value as JsonObject }; // the other cases are excluded
    let facts: readonly SourceFact[];
    try {
      facts = source.map(delivery);
    } catch (error) {
      this.#parts.logger.error(
        { source: source.name, tenant: tenant.slug, deliveryId, ...failureFields(error) },
        "The mapping of a source has thrown.",
      );
      throw unmapped(source, "its mapping has failed; the log says where");
    }
    if (facts.length <= limits.eventsPerRequestMax) return facts;
    throw unmapped(
      source,
      `it means ${facts.length} facts, more than the ${limits.eventsPerRequestMax} of one request`,
    );
  }

  async #publish(
    source: SourceDefinition,
    given: {
      readonly principal: Principal;
      readonly facts: readonly SourceFact[];
      readonly deliveryId: string;
      readonly requestId: string;
    },
  ): Promise<readonly PublishResult[]> {
    const { principal, facts, deliveryId, requestId } = given;
    if (facts.length === 0) return [];
    const inputs = facts.map((fact, index) => inputOf(fact, factId(principal, deliveryId, index)));
    const options = { atomic: true, isList: true, requestId, via: "source", source: source.name };
    return this.#parts.pipeline.publish(principal, principal.tenantId, inputs, options);
  }

  #breakerOf(tenant: TenantEntry, source: SourceDefinition): Breaker {
    const key = `${tenant.id} ${source.name}`;
    const breaker = this.#breakers.get(key) ?? new Breaker(breakerOptions, this.#parts.clock);
    this.#breakers.set(key, breaker);
    return breaker;
  }
}

/** The same delivery is the same facts, whoever sends it again and when. */
function factId(
  principal: { readonly id: string; readonly tenantId: TenantId },
  deliveryId: string,
  index: number,
): string {
  return uuid8(principal.tenantId, principal.id, deliveryId, String(index));
}

function inputOf({ type, aggregateId, spec, occurredAt }: SourceFact, id: string): IntentInput {
  const specText = JSON.stringify(spec);
  return { type, aggregateId, spec: spec as JsonObject, specText, id, idFromOutsideKey: true, occurredAt };
}

function waiting({ name }: SourceDefinition): EventplaneError {
  const message = `The last ${breakerOptions.failures} deliveries of source ${name} came to nothing; it waits up to ${breakerOptions.openMs / 1_000} s.`;
  return new EventplaneError("busy", message);
}

function unmapped({ name }: SourceDefinition, why: string): EventplaneError {
  return new EventplaneError("delivery_unmapped", `The delivery of source ${name} cannot be used: ${why}.`);
}
