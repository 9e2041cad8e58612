/** Sources: systems outside that send signed deliveries, of which facts are made. */
import type { JsonObject } from "../kernel/index.js";

/** A delivery as it came, before anybody believes it. */
export interface SignedDelivery {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

/** What a delivery is checked against. */
export interface VerificationMeans {
  /** All that hold now: during a rotation the old one and the new one. */
  readonly secrets: readonly string[];
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/** Checks the deliveries of one scheme. */
export interface DeliveryVerifier {
  /** As documentation and logs name it. */
  readonly scheme: string;
  /**
   * What the delivery is known by: something that its signature covers.
   *
   * @throws EventplaneError `source_unverified`; `delivery_expired` when the signature holds and its time is out of the window;
   * `config_invalid` for a secret that is none of the scheme
   */
  verify(delivery: SignedDelivery, means: VerificationMeans): string;
}

/** The tenant that a delivery is for. */
export interface SourceTenant {
  readonly id: string;
  readonly slug: string;
}

/** A delivery that is verified. */
export interface Delivery {
  readonly tenant: SourceTenant;
  /** What its verifier knows it by. */
  readonly deliveryId: string;
  /** As they came, names in lower case. Signatures cover few of them or none: do not decide by one what the body says too. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** A JSON object that passed the same scanner as the body of every request. */
  readonly body: JsonObject;
}

/** One fact that a delivery means: a type that an aggregate of the application declares, with its spec. */
export interface SourceFact {
  readonly type: string;
  readonly aggregateId: string;
  readonly spec: object;
  /** RFC 3339: when it happened outside. */
  readonly occurredAt?: string;
}

/** A source, normalized. */
export interface SourceDefinition {
  readonly name: string;
  readonly verifier: DeliveryVerifier;
  /** The secrets of one tenant, asked at every delivery; none: the tenant does not take deliveries of this source. */
  readonly secrets: (tenant: SourceTenant) => readonly string[];
  /** Facts of a verified delivery, all of them or none are added; `[]`: it means nothing here. */
  readonly map: (delivery: Delivery) => readonly SourceFact[];
}
