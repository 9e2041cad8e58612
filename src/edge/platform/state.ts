/**
 * What an edge knows of the platform: tenants, API keys, policies, quotas, replays, webhooks and introduced signing keys, folded from the platform log.
 */
import type { EventRow } from "../../event/index.js";
import { EventplaneError, type JsonObject, PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import { quotaSetType } from "../../quota/index.js";
import { webhookAggregate } from "../../webhook/index.js";
import { PolicyBook, policyApplyType } from "../authz/policy-book.js";
import { PLATFORM_SLUG } from "./definitions.js";
import { KeyBook, type KeyEntry } from "./key-book.js";
import { QuotaBook } from "./quota-book.js";
import { specOf, textOf } from "./row-values.js";
import { SchemaBook, schemaFactType, schemaRegisterType } from "./schema-book.js";
import { WebhookBook } from "./webhook-book.js";

/** A tenant that exists. */
export interface TenantEntry {
  readonly id: TenantId;
  readonly slug: string;
  /** Microseconds since 1970. */
  readonly createdAtUs: number;
}

/** The fold of the platform log. Applying an event is synchronous, so a request sees one position throughout. */
export class PlatformState {
  readonly #tenants = new Map<string, TenantEntry>();
  readonly #slugs = new Map<string, TenantEntry>();
  readonly #keys = new KeyBook();
  readonly #introductions: JsonObject[] = [];
  readonly #policies = new PolicyBook();
  readonly #schemas = new SchemaBook();
  readonly #quotas = new QuotaBook();
  readonly #webhooks = new WebhookBook();
  readonly #replays = new Map<string, string[]>();
  #position = 0;

  constructor() {
    this.#addTenant({ id: PLATFORM_TENANT_ID, slug: PLATFORM_SLUG, createdAtUs: 0 });
  }

  /** Position of the last event applied; 0 before the first. */
  get position(): number {
    return this.#position;
  }

  /** The policies that were applied, and what they make. */
  get policies(): PolicyBook {
    return this.#policies;
  }

  /** The schemas that were registered. */
  get schemas(): SchemaBook {
    return this.#schemas;
  }

  /** What was set for tenants. */
  get quotas(): QuotaBook {
    return this.#quotas;
  }

  /** The webhooks of all tenants. */
  get webhooks(): WebhookBook {
    return this.#webhooks;
  }

  /** The specs of all `signing-key.introduced` facts, oldest first. */
  get introductions(): readonly JsonObject[] {
    return this.#introductions;
  }

  /** The tenant with this id or slug. */
  tenant(idOrSlug: string): TenantEntry | undefined {
    return this.#tenants.get(idOrSlug) ?? this.#slugs.get(idOrSlug);
  }

  /** All tenants but the platform, oldest first. */
  tenants(): readonly TenantEntry[] {
    return [...this.#tenants.values()].filter((tenant) => tenant.id !== PLATFORM_TENANT_ID);
  }

  /** The key with this id, also when it is revoked or expired. */
  key(keyId: string): KeyEntry | undefined {
    return this.#keys.get(keyId);
  }

  /** All keys. */
  keys(): Iterable<KeyEntry> {
    return this.#keys.all();
  }

  /** The keys of a tenant, oldest first. */
  keysOf(tenantId: TenantId): readonly KeyEntry[] {
    return this.#keys.of(tenantId);
  }

  /** The ids of a tenant's replays, the newest first; at most 1,000 are remembered. */
  replaysOf(tenantId: TenantId): readonly string[] {
    return this.#replays.get(tenantId) ?? [];
  }

  /**
   * Folds the next verified event of the platform log; types it does not know leave the state as it is.
   *
   * @throws EventplaneError `event_corrupt` when positions have a gap or a payload is not what its type says
   */
  apply(row: EventRow): void {
    if (row.position !== this.#position + 1) {
      throw new EventplaneError("event_corrupt", `The platform log has a gap before position ${row.position}.`);
    }
    if (row.type === "tenant.create") this.#createTenant(row);
    else if (row.type === policyApplyType) this.#policies.apply(row);
    else if (row.type === schemaFactType) this.#schemas.applyRegistered(row);
    else if (row.type === quotaSetType) this.#quotas.apply(row);
    else if (row.type === schemaRegisterType) this.#schemas.applyRegister(row);
    else if (row.type === "replay.create") this.#createReplay(row);
    else if (row.type === "signing-key.introduced") this.#introductions.push(specOf(row));
    else if (row.aggregateType === webhookAggregate) this.#webhooks.apply(row);
    else this.#keys.apply(row);
    this.#position = row.position;
  }

  #createTenant(row: EventRow): void {
    const slug = textOf(specOf(row), "slug", row);
    this.#addTenant({ id: row.aggregateId as TenantId, slug, createdAtUs: row.recordedAtUs }); // the id made by tenantIdOf
  }

  #addTenant(entry: TenantEntry): void {
    this.#tenants.set(entry.id, entry);
    this.#slugs.set(entry.slug, entry);
  }

  #createReplay(row: EventRow): void {
    const tenantId = textOf(specOf(row), "tenantId", row);
    this.#replays.set(tenantId, [row.aggregateId, ...(this.#replays.get(tenantId) ?? [])].slice(0, replaysMax));
  }
}

const replaysMax = 1_000;
