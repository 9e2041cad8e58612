/** Administration over HTTP: tenants, API keys, policies, quotas, dead letters, effects, replays, projections, controllers, webhooks, data subjects. */
import { ControllerClient } from "./controller-client.js";
import { PolicyClient } from "./policy-client.js";
import { ProjectionClient } from "./projection-client.js";
import { QuotaClient } from "./quota-client.js";
import { ReplayClient } from "./replay-client.js";
import type { PlaneStatus } from "./status-client.js";
import { SubjectClient } from "./subject-client.js";
import type { ClientTransport } from "./transport.js";
import { WebhookClient } from "./webhook-client.js";

/** A tenant. */
export interface TenantInfo {
  readonly id: string;
  readonly slug: string;
  readonly createdAt?: string;
}

/** What an API key may do. */
export type ClientGrant = "publisher" | "reader" | "subscriber" | "admin";

/** An API key, without its secret. */
export interface KeyInfo {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly principalId: string;
  readonly grants: readonly ClientGrant[];
  /** Types that it may touch; null: all that the grants allow. */
  readonly scopes: readonly string[] | null;
  /** Addresses and ranges that it may be used from; null: anywhere. */
  readonly networks: readonly string[] | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  /** The key that it takes the place of, and the one that takes its. */
  readonly replaces: string | null;
  readonly replacedBy: string | null;
  /** The last day of UTC on which it was used, as `2026-01-31`; told within a minute. */
  readonly lastUsedOn: string | null;
}

/** The key that takes the place of another. */
export interface RotatedKeyInfo {
  readonly id: string;
  readonly key: string;
  readonly replaces: string;
  /** Until then the old one works on. */
  readonly replacedEndsAt: string;
}

/** What a key is created with. */
export interface KeyRequest {
  readonly name: string;
  readonly grants: readonly ClientGrant[];
  /** `organization.*`, `organization.create`, `reader:organization.*`; absent: all that the grants allow. */
  readonly scopes?: readonly string[];
  /** RFC 3339. */
  readonly expiresAt?: string;
  /** Addresses and CIDR ranges; absent: anywhere. */
  readonly networks?: readonly string[];
}

/** A dead letter. */
export interface DeadLetterInfo {
  readonly id: string;
  readonly tenantId: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly component: string;
  /** The resource that it is about: of an effect, the one that asked. */
  readonly resource: { readonly aggregateType: string; readonly aggregateId: string };
  readonly attempts: number;
  readonly failure: { readonly code: string; readonly message: string };
  /** Version of the app's code that failed. */
  readonly codeVersion: string;
  readonly generation: number;
  readonly since: string;
  /** What waits behind it. */
  readonly waiting: number;
}

/** Which dead letters are meant; every member narrows. */
export interface DeadLetterFilterInfo {
  /** A controller, or `effect:<worker>`. */
  readonly component?: string;
  readonly code?: string;
  readonly codeVersion?: string;
  /** Of the resource. */
  readonly aggregateType?: string;
  readonly aggregateId?: string;
  /** Dead since then or later, and before then; RFC 3339. */
  readonly sinceFrom?: string;
  readonly sinceBefore?: string;
}

/** Dead letters of one component with one error code, made by one version of the code. */
export interface DeadLetterGroupInfo {
  readonly component: string;
  readonly code: string;
  readonly codeVersion: string;
  readonly count: number;
  readonly oldest: string;
  readonly newest: string;
}

/** A decision on all dead letters that a filter means. */
export interface DecisionByFilterInfo {
  readonly filter?: DeadLetterFilterInfo;
  /** Every one; instead of a filter. */
  readonly all?: boolean;
  /** Says what would be decided, and decides nothing. */
  readonly dryRun?: boolean;
}

/** What became of it, or would. */
export interface DecidedInfo {
  readonly dryRun: boolean;
  readonly matched: number;
  /** Held effects that the filter means too: they are left alone unless it names their code, `effect_held`. */
  readonly heldLeft: number;
  /** Until the last one is tried again, milliseconds. */
  readonly takesMs: number;
  readonly decided: number;
  /** Those that somebody else decided on meanwhile. */
  readonly skipped: number;
  /** In the tenant's log: the stream `dead-letter/<requestId>`, and the correlation of all that follows. */
  readonly requestId?: string;
}

/** An effect without a result. What was asked is not among it: that is the tenant's own. */
export interface EffectInfo {
  /** Of the ask. */
  readonly id: string;
  readonly tenantId: string;
  readonly worker: string;
  readonly controller: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  /** `held`: nobody knows what became of a call. `dead`: given up. Both wait for a decision; `blocked` waits behind one. */
  readonly state: "waiting" | "running" | "blocked" | "held" | "dead";
  readonly attempts: number;
  readonly failure: { readonly code: string; readonly message: string } | null;
  /** What the service was called with: look for it there. */
  readonly idempotencyKey: string;
  readonly correlationId: string;
  readonly askedAt: string;
}

/** The result of an effect, given by hand: what the worker would have returned, or that it failed. */
export type EffectResolution =
  | { readonly ok: object }
  | { readonly failed: { readonly code: string; readonly message: string } };

interface Abortable {
  readonly signal?: AbortSignal;
}

interface OfTenant extends Abortable {
  readonly tenant?: string;
}

/** Needs a key with the grant `admin`. Every method throws the problem that the edge answered. */
export class AdminClient {
  /** Replays of history. */
  readonly replays: ReplayClient;
  /** Projections, as operators see them. */
  readonly projections: ProjectionClient;
  /** Controllers over living resources. */
  readonly controllers: ControllerClient;
  /** Data subjects, and their erasure. */
  readonly subjects: SubjectClient;
  /** Policies: who may do what. */
  readonly policies: PolicyClient;
  /** Quotas: how much a tenant may do. */
  readonly quotas: QuotaClient;
  /** Webhooks: events sent to an address, signed. */
  readonly webhooks: WebhookClient;
  readonly #transport: ClientTransport;

  constructor(transport: ClientTransport) {
    this.#transport = transport;
    this.replays = new ReplayClient(transport);
    this.projections = new ProjectionClient(transport);
    this.controllers = new ControllerClient(transport);
    this.subjects = new SubjectClient(transport);
    this.policies = new PolicyClient(transport);
    this.quotas = new QuotaClient(transport);
    this.webhooks = new WebhookClient(transport);
  }

  /** Creates a tenant, or finds it when it exists. */
  async createTenant(
    tenant: { readonly slug: string },
    { signal }: Abortable = {},
  ): Promise<TenantInfo & { readonly created: boolean }> {
    const { status, body } = await this.#transport.send({
      method: "POST",
      path: "/v1/admin/tenants",
      body: tenant,
      repeatable: true,
      signal,
    });
    return { ...(body as TenantInfo), created: status === 201 }; // the route's answer
  }

  /** All tenants, oldest first. */
  async tenants({ signal }: Abortable = {}): Promise<readonly TenantInfo[]> {
    const { body } = await this.#transport.send({ path: "/v1/admin/tenants", repeatable: true, signal });
    return (body as { readonly tenants: readonly TenantInfo[] }).tenants; // the route's answer
  }

  /**
   * Creates a key of a tenant; its text comes this one time.
   *
   * It is sent once: after a lost answer the key exists, unknown to anybody; revoke it and create another.
   */
  async createKey(
    tenant: string,
    wish: KeyRequest,
    { signal }: Abortable = {},
  ): Promise<{ readonly id: string; readonly key: string }> {
    const { body } = await this.#transport.send({
      method: "POST",
      path: `${tenantPath(tenant)}/keys`,
      body: wish,
      repeatable: false,
      signal,
    });
    return body as { readonly id: string; readonly key: string }; // without an Idempotency-Key the key is always new
  }

  /** The keys of a tenant, revoked ones included. */
  async keys(tenant: string, { signal }: Abortable = {}): Promise<readonly KeyInfo[]> {
    const { body } = await this.#transport.send({ path: `${tenantPath(tenant)}/keys`, repeatable: true, signal });
    return (body as { readonly keys: readonly KeyInfo[] }).keys; // the route's answer
  }

  /** One key of a tenant. @throws EventplaneError `not_found` */
  async key(tenant: string, keyId: string, { signal }: Abortable = {}): Promise<KeyInfo> {
    const path = `${tenantPath(tenant)}/keys/${encodeURIComponent(keyId)}`;
    const { body } = await this.#transport.send({ path, repeatable: true, signal });
    return body as KeyInfo; // the route's answer
  }

  /**
   * Makes a key that takes the place of another, which works on for the overlap (seconds, by default a day); its text comes
   * this one time. It is sent once, as {@link createKey} is.
   */
  async rotateKey(
    tenant: string,
    keyId: string,
    { signal, ...wish }: Abortable & { readonly overlapSeconds?: number; readonly expiresAt?: string } = {},
  ): Promise<RotatedKeyInfo> {
    const { body } = await this.#transport.send({
      method: "POST",
      path: `${tenantPath(tenant)}/keys/${encodeURIComponent(keyId)}/rotate`,
      body: wish,
      repeatable: false,
      signal,
    });
    return body as RotatedKeyInfo; // without an Idempotency-Key the key is always new
  }

  /** Revokes a key; every edge refuses it within a second. Again and again the same. */
  async revokeKey(tenant: string, keyId: string, { signal }: Abortable = {}): Promise<void> {
    const path = `${tenantPath(tenant)}/keys/${encodeURIComponent(keyId)}`;
    await this.#transport.send({ method: "DELETE", path, repeatable: true, signal });
  }

  /** The dead letters of a tenant, newest first; by default of the key's own. */
  async deadLetters({
    signal,
    ...query
  }: OfTenant & DeadLetterFilterInfo & { readonly limit?: number } = {}): Promise<readonly DeadLetterInfo[]> {
    const { body } = await this.#transport.send({ path: "/v1/admin/dead-letters", query, repeatable: true, signal });
    return (body as { readonly deadLetters: readonly DeadLetterInfo[] }).deadLetters; // the route's answer
  }

  /** The same in groups by component, error code and version of the code, the largest first. */
  async deadLetterGroups({
    signal,
    ...query
  }: OfTenant & DeadLetterFilterInfo = {}): Promise<readonly DeadLetterGroupInfo[]> {
    const path = "/v1/admin/dead-letters/groups";
    const { body } = await this.#transport.send({ path, query, repeatable: true, signal });
    return (body as { readonly groups: readonly DeadLetterGroupInfo[] }).groups; // the route's answer
  }

  /** One dead letter. */
  async deadLetter(
    id: string,
    { tenant, signal }: Abortable & { readonly tenant?: string } = {},
  ): Promise<DeadLetterInfo> {
    const { body } = await this.#transport.send({
      path: deadLetterPath(id),
      query: { tenant },
      repeatable: true,
      signal,
    });
    return body as DeadLetterInfo; // the route's answer
  }

  /** Lets the controller try again. */
  async redrive(id: string, options: Abortable & { readonly tenant?: string } = {}): Promise<void> {
    await this.#decide(`${deadLetterPath(id)}/redrive`, options);
  }

  /** Gives the work up for good; an effect has failed then, with the code `discarded`. */
  async discard(id: string, options: Abortable & { readonly tenant?: string } = {}): Promise<void> {
    await this.#decide(`${deadLetterPath(id)}/discard`, options);
  }

  /** Lets all that a filter means try again, `ratePerSecond` of them a second; by default 100. */
  async redriveAll(
    wish: DecisionByFilterInfo & { readonly ratePerSecond?: number },
    options: OfTenant = {},
  ): Promise<DecidedInfo> {
    return this.#decideAll("/v1/admin/dead-letters/redrive", wish, options);
  }

  /** Gives all that a filter means up for good. */
  async discardAll(wish: DecisionByFilterInfo, options: OfTenant = {}): Promise<DecidedInfo> {
    return this.#decideAll("/v1/admin/dead-letters/discard", wish, options);
  }

  /** How the whole plane stands. Needs a key of the platform. */
  async status({ signal }: Abortable = {}): Promise<PlaneStatus> {
    const { body } = await this.#transport.send({ path: "/v1/admin/status", repeatable: true, signal });
    return body as PlaneStatus; // the route's answer
  }

  /** Effects without a result, those that wait for a decision first; by default of the key's own tenant. */
  async effects({
    tenant,
    state,
    signal,
  }: Abortable & { readonly tenant?: string; readonly state?: EffectInfo["state"] } = {}): Promise<
    readonly EffectInfo[]
  > {
    const query = { tenant, state };
    const { body } = await this.#transport.send({ path: "/v1/admin/effects", query, repeatable: true, signal });
    return (body as { readonly effects: readonly EffectInfo[] }).effects; // the route's answer
  }

  /** One effect without a result. */
  async effect(id: string, { tenant, signal }: Abortable & { readonly tenant?: string } = {}): Promise<EffectInfo> {
    const { body } = await this.#transport.send({ path: effectPath(id), query: { tenant }, repeatable: true, signal });
    return body as EffectInfo; // the route's answer
  }

  /** Gives the result of an effect that is held or dead, without a call. The first resolution counts. */
  async resolveEffect(
    id: string,
    resolution: EffectResolution,
    options: Abortable & { readonly tenant?: string } = {},
  ): Promise<void> {
    await this.#decide(`${effectPath(id)}/resolve`, options, resolution);
  }

  /** Lets the worker call again, with the same idempotency key, for an effect that is held or dead. */
  async retryEffect(id: string, options: Abortable & { readonly tenant?: string } = {}): Promise<void> {
    await this.#decide(`${effectPath(id)}/retry`, options);
  }

  /** Sent once: after a lost answer the same again decides on those that are left. */
  async #decideAll(path: string, wish: object, { tenant, signal }: OfTenant): Promise<DecidedInfo> {
    const { body } = await this.#transport.send({
      method: "POST",
      path,
      query: { tenant },
      body: wish,
      repeatable: false,
      signal,
    });
    return body as DecidedInfo; // the route's answer
  }

  async #decide(
    path: string,
    { tenant, signal }: Abortable & { readonly tenant?: string },
    body?: object,
  ): Promise<void> {
    const content = body === undefined ? {} : { body };
    await this.#transport.send({ method: "POST", path, query: { tenant }, ...content, repeatable: false, signal });
  }
}

function tenantPath(tenant: string): string {
  return `/v1/admin/tenants/${encodeURIComponent(tenant)}`;
}

function deadLetterPath(id: string): string {
  return `/v1/admin/dead-letters/${encodeURIComponent(id)}`;
}

function effectPath(id: string): string {
  return `/v1/admin/effects/${encodeURIComponent(id)}`;
}
