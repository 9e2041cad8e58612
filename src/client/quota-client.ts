/** Quotas over HTTP: how much a tenant may do. */
import type { ClientTransport } from "./transport.js";

/** What an operator sets of a tenant's limits, whole numbers from 1; what is absent is the platform's default. */
export interface Quota {
  readonly requestsPerSecond?: number;
  /** At once; by default what comes in two seconds. */
  readonly requestsBurst?: number;
  readonly eventsPerSecond?: number;
  readonly eventsBurst?: number;
  /** Of each principal; by default the tenant's. */
  readonly principalRequestsPerSecond?: number;
  readonly principalRequestsBurst?: number;
  readonly principalEventsPerSecond?: number;
  readonly principalEventsBurst?: number;
  /** Of specs, from midnight to midnight (UTC). */
  readonly bytesPerDay?: number;
  /** Subscriptions that are open at once. */
  readonly connections?: number;
  /** Streams that it has; not limited by default. */
  readonly streams?: number;
}

/** A quota as it is. */
export interface QuotaInfo {
  readonly tenantId: string;
  /** How often it was set. */
  readonly version: number;
  readonly setAt: string | null;
  /** What was set. */
  readonly quota: Quota;
  /** What is in force. */
  readonly limits: Required<Omit<Quota, "streams">> & Pick<Quota, "streams">;
}

/** Needs a key that may administer the area quotas; to set them, one of the platform. Every method throws the problem that the edge answered. */
export class QuotaClient {
  readonly #transport: ClientTransport;

  constructor(transport: ClientTransport) {
    this.#transport = transport;
  }

  /** The quota of a tenant. */
  async get(tenant: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<QuotaInfo> {
    const { body } = await this.#transport.send({ path: pathOf(tenant), repeatable: true, signal });
    return body as QuotaInfo; // the route's answer
  }

  /**
   * Puts a quota in the place of the version `follows`; `{}` resets it. The same again has the same answer.
   *
   * @throws EventplaneError `wrong_expected_generation` when somebody else was faster
   */
  async set(
    tenant: string,
    quota: Quota,
    { follows, signal }: { readonly follows: number; readonly signal?: AbortSignal },
  ): Promise<QuotaInfo> {
    const { body } = await this.#transport.send({
      method: "PUT",
      path: pathOf(tenant),
      headers: { "if-match": `"${follows}"` },
      body: quota,
      repeatable: true,
      signal,
    });
    return body as QuotaInfo; // the route's answer
  }
}

function pathOf(tenant: string): string {
  return `/v1/admin/tenants/${encodeURIComponent(tenant)}/quota`;
}
