/** `defineSource`: a system outside whose signed deliveries become facts. */
import type { Delivery, DeliveryVerifier, SourceDefinition, SourceFact, SourceTenant } from "../event/index.js";
import { EventplaneError } from "../kernel/index.js";

/** What a team writes of a source. */
export interface SourceConfig {
  /** Lower-case letters, digits and `-`, at most 64: the last part of its address and `source` of its events. */
  readonly name: string;
  /** How it signs: `standardWebhooks()`, `githubWebhooks()`, `stripeWebhooks()` or `hmacWebhooks({…})`. */
  readonly verify: DeliveryVerifier;
  /**
   * The secrets of one tenant, one or, while they are rotated, several; undefined or empty when it takes no deliveries. Each tenant
   * needs one of its own: whoever knows a secret can speak for the source in every tenant that has it. Asked at every
   * delivery, so take it from memory.
   */
  readonly secrets: (tenant: SourceTenant) => string | readonly string[] | undefined;
  /**
   * What a verified delivery means: one fact, several (all of them or none are added) or none. Pure and quick. What it throws is
   * answered with `delivery_unmapped` and told in the log.
   */
  readonly map: (delivery: Delivery) => SourceFact | readonly SourceFact[] | undefined;
}

/** A source for `defineApp({ sources })`. */
export interface Source {
  readonly definition: SourceDefinition;
}

const nameForm = /^[a-z][a-z0-9-]{0,63}$/;

/**
 * Declares a source, served at `POST /v1/tenants/{t}/sources/{name}`.
 *
 * @throws EventplaneError `config_invalid` for a name that is none
 */
export function defineSource({ name, verify, secrets, map }: SourceConfig): Source {
  if (!nameForm.test(name)) {
    const message = `A source is named with at most 64 lower-case letters, digits and "-", beginning with a letter, not "${String(name).slice(0, 80)}".`;
    throw new EventplaneError("config_invalid", message);
  }
  return {
    definition: Object.freeze({
      name,
      verifier: verify,
      secrets: (tenant: SourceTenant) => listOf(secrets(tenant)),
      map: (delivery: Delivery) => listOf(map(delivery)),
    }),
  };
}

function listOf<One extends string | object>(given: One | readonly One[] | undefined): readonly One[] {
  if (given === undefined) return [];
  return Array.isArray(given) ? (given as readonly One[]) : [given as One]; // Array.isArray loses the readonly type
}
