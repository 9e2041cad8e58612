/** Webhooks over HTTP: what is sent to whom, signed. */
import type { ClientTransport } from "./transport.js";

/** Which events are sent; every member narrows, and what a member lists is any of it. */
export interface WebhookFilterInfo {
  readonly kinds?: readonly ("intent" | "fact" | "internal")[];
  /** By name (`organization.create`) or by beginning (`organization.*`); at most 32. */
  readonly types?: readonly string[];
  /** At most 32. */
  readonly aggregateTypes?: readonly string[];
}

/** What is wanted of a new webhook. */
export interface WebhookWish {
  /** https, on port 443 or 8443, at a public address, unless whoever runs the plane allows others. */
  readonly url: string;
  /** At most 200 characters. */
  readonly description?: string;
  readonly filter?: WebhookFilterInfo;
  /** Deliveries under way at once, 1 to 8; default 1: then they begin in the order of positions. */
  readonly parallel?: number;
  /** The position to begin after; default: the end of the log. */
  readonly after?: number;
}

/** A webhook. */
export interface WebhookInfo {
  readonly id: string;
  readonly tenantId: string;
  readonly url: string;
  readonly description: string | null;
  readonly filter: WebhookFilterInfo;
  readonly parallel: number;
  readonly after: number;
  /** It is sent what this principal may subscribe to. */
  readonly owner: { readonly type: string; readonly id: string };
  /** `gone`: the receiver answered 410. `failing`: nothing succeeded for days. Both wait for `resume`. */
  readonly state: "active" | "paused" | "gone" | "failing";
  /** False: its owner may not subscribe now, so nothing is sent. */
  readonly maySend: boolean;
  readonly secretVersion: number;
  /** Until then the secret before signs too. */
  readonly previousSecretEndsAt: string | null;
  readonly createdAt: string;
}

/** A webhook and how far it is. */
export interface StandingWebhookInfo extends WebhookInfo {
  /** What it means up to here was sent, or is being sent. */
  readonly position: number;
  /** Nothing has succeeded since then; null while all is well. */
  readonly failingSince: string | null;
}

/** One of the last attempts. */
export interface DeliveryInfo {
  readonly eventId: string;
  readonly position: number;
  /** From 1. */
  readonly attempt: number;
  readonly at: string;
  /** `withheld`: its owner may not see the event any more. `dead`: a dead letter, which can be redriven. */
  readonly result: "delivered" | "withheld" | "retried" | "dead";
  readonly status: number | null;
  /** Why there is no status. */
  readonly reason: string | null;
  readonly tookMs: number;
}

/** A secret that was just made, shown this once. */
export interface RotatedWebhookInfo {
  readonly id: string;
  readonly secret: string;
  readonly previousEndsAt: string;
}

/** What came of a test. */
export interface WebhookTestInfo {
  /** The receiver answered with a status from 200 to 299. */
  readonly delivered: boolean;
  /** `refused`: no call was made. `unanswered`: none brought a status. */
  readonly result: "answered" | "refused" | "unanswered";
  readonly status?: number;
  readonly reason?: string;
  readonly tookMs: number;
}

interface OfTenant {
  readonly tenant?: string;
  readonly signal?: AbortSignal;
}

const path = "/v1/admin/webhooks";

/** Needs a key with the grant `admin`. Every method throws the problem that the edge answered. */
export class WebhookClient {
  readonly #transport: ClientTransport;

  constructor(transport: ClientTransport) {
    this.#transport = transport;
  }

  /**
   * Makes one, with a key of the tenant that has `admin` and `subscriber`. Its secret is shown this once. Sent once: after a lost
   * answer look at the list.
   */
  async create(wish: WebhookWish, options: OfTenant = {}): Promise<WebhookInfo & { readonly secret: string }> {
    return (await this.#post(path, options, wish)) as WebhookInfo & { readonly secret: string }; // the route's answer
  }

  /** Those of a tenant, oldest first; by default of the key's own. */
  async list({ tenant, signal }: OfTenant = {}): Promise<readonly WebhookInfo[]> {
    const { body } = await this.#transport.send({ path, query: { tenant }, repeatable: true, signal });
    return (body as { readonly webhooks: readonly WebhookInfo[] }).webhooks; // the route's answer
  }

  /** One with its place in the log. */
  async get(id: string, { tenant, signal }: OfTenant = {}): Promise<StandingWebhookInfo> {
    const { body } = await this.#transport.send({ path: pathOf(id), query: { tenant }, repeatable: true, signal });
    return body as StandingWebhookInfo; // the route's answer
  }

  /** The last attempts, newest first; at most 100. */
  async deliveries(id: string, { tenant, signal }: OfTenant = {}): Promise<readonly DeliveryInfo[]> {
    const path = `${pathOf(id)}/deliveries`;
    const { body } = await this.#transport.send({ path, query: { tenant }, repeatable: true, signal });
    return (body as { readonly deliveries: readonly DeliveryInfo[] }).deliveries; // the route's answer
  }

  /** Sends nothing more until it is resumed. */
  async pause(id: string, options: OfTenant = {}): Promise<WebhookInfo> {
    return (await this.#post(`${pathOf(id)}/pause`, options)) as WebhookInfo; // the route's answer
  }

  /** Lets it go on where it was. */
  async resume(id: string, options: OfTenant = {}): Promise<WebhookInfo> {
    return (await this.#post(`${pathOf(id)}/resume`, options)) as WebhookInfo; // the route's answer
  }

  /** Gives it another secret, shown this once; the one before signs too for `overlapSeconds`, by default a day, at most a week. */
  async rotate(
    id: string,
    { overlapSeconds, ...options }: OfTenant & { readonly overlapSeconds?: number } = {},
  ): Promise<RotatedWebhookInfo> {
    const wish = overlapSeconds === undefined ? {} : { overlapSeconds };
    return (await this.#post(`${pathOf(id)}/rotate`, options, wish)) as RotatedWebhookInfo; // the route's answer
  }

  /** Sends a message that says nothing, now. */
  async test(id: string, options: OfTenant = {}): Promise<WebhookTestInfo> {
    return (await this.#post(`${pathOf(id)}/test`, options)) as WebhookTestInfo; // the route's answer
  }

  /** Ends it for good. */
  async delete(id: string, { tenant, signal }: OfTenant = {}): Promise<void> {
    await this.#transport.send({ method: "DELETE", path: pathOf(id), query: { tenant }, repeatable: true, signal });
  }

  async #post(address: string, { tenant, signal }: OfTenant, wish?: object): Promise<unknown> {
    const content = wish === undefined ? {} : { body: wish };
    const query = { tenant };
    const request = { method: "POST", path: address, query, ...content, repeatable: false, signal } as const;
    return (await this.#transport.send(request)).body;
  }
}

function pathOf(id: string): string {
  return `${path}/${encodeURIComponent(id)}`;
}
