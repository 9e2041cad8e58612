/**
 * Tenants and API keys as intents in the platform's log. Who may ask is decided before; what is asked is checked here.
 *
 * Every change waits until this edge's own fold has seen it, so the next request to this edge finds it.
 */
import { type AppendItem, type CausedBy, EventFactory } from "../../event/index.js";
import {
  type Clock,
  EventplaneError,
  formatUs,
  type IdSource,
  type JsonObject,
  PLATFORM_TENANT_ID,
  type TenantId,
  uuid8,
} from "../../kernel/index.js";
import type { AppendOutcome } from "../../store/index.js";
import type { Authorizer } from "../authz/authorizer.js";
import type { ResourceClass } from "../authz/ruling.js";
import { issueKey } from "../credentials.js";
import type { EventLog } from "../dependencies.js";
import type { Principal } from "../principal.js";
import { refusalError } from "../publish/refusal-errors.js";
import { stampOf } from "../stamp.js";
import {
  createTenantIntentId,
  isTenantSlug,
  PLATFORM_SLUG,
  platformApp,
  revokeKeyIntentId,
  slugPattern,
  tenantIdOf,
} from "./definitions.js";
import type { PlatformFold } from "./fold.js";
import { assertSameWish, type KeyWish, keySpecOf } from "./key-wish.js";

/** On whose behalf something is administered. */
export interface AdministrationRequest {
  readonly principal: Principal;
  readonly requestId: string;
  /** `http`, `embedded` or `system`. */
  readonly via: string;
  /** The part of the tenant that it is about. */
  readonly resource: ResourceClass;
}

/** A new key: the secret is in it and is shown once; absent when the request was a repetition. */
export interface CreatedKey {
  readonly id: string;
  readonly key?: string;
}

/** What administration needs. */
export interface AdministrationDependencies {
  readonly log: EventLog;
  readonly platform: PlatformFold;
  readonly authorizer: Authorizer;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly edge: string;
}

/** Creates tenants, creates and revokes keys. */
export class PlatformAdministration {
  readonly #dependencies: AdministrationDependencies;
  readonly #factory: EventFactory;

  constructor(dependencies: AdministrationDependencies) {
    this.#dependencies = dependencies;
    this.#factory = new EventFactory({ app: platformApp, ids: dependencies.ids });
  }

  /**
   * Creates the tenant, or finds it when it exists.
   *
   * @throws EventplaneError `request_invalid` for a slug that a tenant may not have
   */
  async createTenant(
    slug: unknown,
    request: AdministrationRequest,
  ): Promise<{ readonly id: TenantId; readonly slug: string; readonly created: boolean }> {
    if (!isTenantSlug(slug)) {
      const message = `slug must match ${slugPattern} and not be ${PLATFORM_SLUG}.`;
      throw new EventplaneError("request_invalid", message, { details: { pointer: "/slug" } });
    }
    const id = tenantIdOf(slug);
    const spec = { slug };
    const outcome = await this.#append(
      this.#intent(
        { type: "tenant.create", id: createTenantIntentId(slug), aggregateId: id, spec },
        this.stamp(request, PLATFORM_TENANT_ID),
      ),
    );
    return { id, slug, created: outcome.result === "appended" };
  }

  /**
   * Creates a key of a tenant.
   *
   * @throws EventplaneError `schema_violation`; `content_mismatch` when the idempotency key was used for another wish
   */
  async createKey(tenantId: TenantId, wish: KeyWish, request: AdministrationRequest): Promise<CreatedKey> {
    const { idempotencyKey } = wish;
    const id =
      idempotencyKey === undefined
        ? this.#dependencies.ids.uuid7()
        : uuid8(tenantId, request.principal.id, "key", idempotencyKey);
    const { key, secretHash } = issueKey(id);
    const spec = keySpecOf(tenantId, wish, secretHash);
    if (idempotencyKey !== undefined) {
      await this.#dependencies.platform.catchUp();
      const existing = this.#dependencies.platform.state.key(id);
      if (existing !== undefined) return assertSameWish(existing, wish);
    }
    const item = this.#intent(
      { type: "key.create", id, aggregateId: id, spec, idFromOutsideKey: idempotencyKey !== undefined },
      this.stamp(request, tenantId),
    );
    try {
      await this.#append(item);
    } catch (error) {
      const raced = this.#dependencies.platform.state.key(id);
      if (raced === undefined) throw error;
      return assertSameWish(raced, wish);
    }
    return { id, key };
  }

  /** Revokes a key; again and again the same answer. @returns false when the tenant has no such key */
  async revokeKey(tenantId: TenantId, keyId: string, request: AdministrationRequest): Promise<boolean> {
    const { platform } = this.#dependencies;
    if (platform.state.key(keyId) === undefined) await platform.catchUp();
    if (platform.state.key(keyId)?.tenantId !== tenantId) return false;
    await this.#append(
      this.#intent(
        { type: "key.revoke", id: revokeKeyIntentId(keyId), aggregateId: keyId, spec: {} },
        this.stamp(request, tenantId),
      ),
    );
    return true;
  }

  #intent(
    wanted: {
      readonly type: string;
      readonly id: string;
      readonly aggregateId: string;
      readonly spec: JsonObject;
      readonly idFromOutsideKey?: boolean;
    },
    stamp: CausedBy,
  ): AppendItem {
    const specText = JSON.stringify(wanted.spec);
    return this.#factory.intent({ idFromOutsideKey: true, ...wanted, tenantId: PLATFORM_TENANT_ID, specText }, stamp);
  }

  /** The stamp of an administrative act on a tenant. */
  stamp({ principal, requestId, via, resource }: AdministrationRequest, tenantId: TenantId): CausedBy {
    const { authorizer, clock, edge } = this.#dependencies;
    const ruling = authorizer.rule(principal, "Administer", { tenantId, resource });
    return stampOf({ principal, via, requestId, ruling, edge, at: formatUs(clock.nowUs()) });
  }

  async #append(item: AppendItem): Promise<Exclude<AppendOutcome, { result: "refused" }>> {
    const outcome = await this.#dependencies.log.append({ tenantId: PLATFORM_TENANT_ID, items: [item] });
    await this.#dependencies.platform.catchUp(outcome.result === "refused" ? 0 : outcome.receipts[0]?.position);
    if (outcome.result === "refused") throw refusalError(outcome);
    return outcome;
  }
}
