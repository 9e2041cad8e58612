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
import { mismatch, refusalError } from "../publish/refusal-errors.js";
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
import { isKeyUsable, type KeyEntry } from "./key-book.js";
import { assertSameWish, type KeyWish, keySpecOf, overlapSecondsDefault, type RotationWish } from "./key-wish.js";

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

/** The key that takes the place of another. */
export interface RotatedKey extends CreatedKey {
  /** When the old one ends, at the latest; microseconds since 1970. */
  readonly endsAtUs: number;
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

  /**
   * Makes a key that takes the place of another: the same name and so the same principal, grants, scopes and networks. The
   * old one works on for the overlap. Both are in one append.
   *
   * @returns undefined when the tenant has no such key
   * @throws EventplaneError `key_ended` when the old key was revoked or has expired, `schema_violation`, `content_mismatch`
   * when the idempotency key was used for another wish, `wrong_expected_generation` when somebody else changes the key meanwhile
   */
  async rotateKey(
    tenantId: TenantId,
    keyId: string,
    { wish, ...request }: AdministrationRequest & { readonly wish: RotationWish },
  ): Promise<RotatedKey | undefined> {
    const { platform, clock, ids } = this.#dependencies;
    await platform.catchUp();
    const old = platform.state.key(keyId);
    if (old?.tenantId !== tenantId) return undefined;
    const { idempotencyKey, overlapSeconds = overlapSecondsDefault } = wish;
    const id =
      idempotencyKey === undefined
        ? ids.uuid7()
        : uuid8(tenantId, request.principal.id, "key.rotate", keyId, idempotencyKey);
    const { key, secretHash } = issueKey(id);
    const rotation = { from: keyId, overlapSeconds };
    const spec = keySpecOf(tenantId, rotatedWish(old, wish, rotation), secretHash);
    const existing = platform.state.key(id);
    if (existing !== undefined) {
      if (existing.rotation?.from !== keyId || existing.rotation.overlapSeconds !== overlapSeconds) throw mismatch(id);
      return { id, endsAtUs: old.replaced?.endsAtUs ?? clock.nowUs() };
    }
    const nowUs = clock.nowUs();
    if (!isKeyUsable(old, nowUs)) throw keyEnded(keyId);
    const endsAtUs = nowUs + overlapSeconds * 1_000_000;
    const idFromOutsideKey = idempotencyKey !== undefined;
    const stamp = this.stamp(request, tenantId);
    await this.#append(
      this.#intent({ type: "key.create", id, aggregateId: id, spec, idFromOutsideKey }, stamp),
      this.#intent(
        {
          type: "key.rotate",
          aggregateId: keyId,
          spec: { replacedBy: id, endsAt: formatUs(endsAtUs) },
          expectedGeneration: old.generation,
        },
        stamp,
      ),
    );
    return { id, key, endsAtUs };
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
      /** By default a new one. */
      readonly id?: string;
      readonly aggregateId: string;
      readonly spec: JsonObject;
      readonly idFromOutsideKey?: boolean;
      readonly expectedGeneration?: number;
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

  async #append(...items: readonly AppendItem[]): Promise<Exclude<AppendOutcome, { result: "refused" }>> {
    const outcome = await this.#dependencies.log.append({ tenantId: PLATFORM_TENANT_ID, items });
    await this.#dependencies.platform.catchUp(outcome.result === "refused" ? 0 : outcome.receipts.at(-1)?.position);
    if (outcome.result === "refused") throw refusalError(outcome);
    return outcome;
  }
}

/** What the new key is made with: everything of the old one but its secret. */
function rotatedWish(
  { name, principal, networks, expiresAtUs }: KeyEntry,
  wish: RotationWish,
  rotation: NonNullable<KeyEntry["rotation"]>,
): KeyWish & { readonly rotation: NonNullable<KeyEntry["rotation"]> } {
  const expiresAt = wish.expiresAt ?? (expiresAtUs === null ? undefined : formatUs(expiresAtUs));
  return {
    name,
    grants: [...principal.grants],
    ...(principal.scopes === undefined ? {} : { scopes: principal.scopes.texts }),
    ...(networks === undefined ? {} : { networks: networks.texts }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    rotation,
  };
}

function keyEnded(id: string): EventplaneError {
  return new EventplaneError("key_ended", `Key ${id} was revoked or has expired. Create another one.`, {
    details: { id },
  });
}
