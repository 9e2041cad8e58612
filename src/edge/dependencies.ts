/**
 * What plane/ gives to the edge: adapters behind ports, nothing that the edge would have to configure itself.
 */
import type { AppDefinition, KeyDirectory, Resource, Verifier } from "../event/index.js";
import type { Clock, Doorbell, IdSource, Signer, TenantId } from "../kernel/index.js";
import type { Logger, Metrics } from "../observe/index.js";
import type { AddressGuard, OutboundHttp } from "../outbound/index.js";
import type { DataKeyStore, PersonalData } from "../personal/index.js";
import type { ProjectionOverview, ProjectionRows } from "../projection/index.js";
import type { AllowanceStore, QuotaDefaults } from "../quota/index.js";
import type { ReplayProgressReader } from "../replay/index.js";
import type { Append, AppendOutcome, LogReader } from "../store/index.js";
import type { DeliveryReader, WebhookSecrets } from "../webhook/index.js";
import type { ControllerRowReader, DeadLetterReader, EffectReader, SystemStatusReader } from "../work/index.js";

/** Appends with the edge's key: the coalescer of tier `edge`. */
export interface EventLog {
  append(append: Append, signal?: AbortSignal): Promise<AppendOutcome>;
}

/** Loads what guards look at: the resource loader of the store. */
export interface GuardLoader {
  load(
    tenantId: TenantId,
    stream: { readonly aggregateType: string; readonly aggregateId: string },
  ): Promise<Resource | undefined>;
}

/** A page of materialized resources; `next` goes into `after` of the next page. */
export interface ResourcePage {
  readonly resources: readonly Resource[];
  readonly next: string | null;
}

/** Reads the materialized resources: the reader of projection/resources. */
export interface ResourceSource {
  get(
    tenantId: TenantId,
    stream: { readonly aggregateType: string; readonly aggregateId: string },
  ): Promise<Resource | undefined>;
  list(
    tenantId: TenantId,
    query: { readonly aggregateType: string; readonly after?: string; readonly limit: number },
  ): Promise<ResourcePage>;
  /** How many there are of the tenant, deleted ones included; counting ends at `max`. */
  count(tenantId: TenantId, max: number): Promise<number>;
  /** Everything up to this position of the tenant's log is in the resources. */
  position(tenantId: TenantId): Promise<number>;
}

/** What the administration of webhooks needs beside the log. */
export interface WebhookDesk {
  readonly guard: AddressGuard;
  readonly outbound: OutboundHttp;
  readonly secrets: WebhookSecrets;
  readonly deliveries: DeliveryReader;
  /** Ids of the messages of a tenant's tests that are under way. */
  readonly testing: Map<TenantId, Set<string>>;
  /** Ids of a tenant's webhooks that are being made in this process: the platform's fold may not have them yet. */
  readonly making: Map<TenantId, Set<string>>;
}

/** Everything that an edge needs. */
export interface EdgeDependencies {
  readonly app: AppDefinition;
  readonly log: EventLog;
  readonly reader: LogReader;
  readonly loader: GuardLoader;
  readonly resources: ResourceSource;
  /** What is asked of projections, and how they stand. */
  readonly projections: { readonly rows: ProjectionRows; readonly overview: ProjectionOverview };
  /** For the lists of dead letters and effects; the edge never claims work. */
  readonly work: DeadLetterReader & EffectReader & ControllerRowReader;
  /** How far replays are; what is wanted of them is in the platform's log. */
  readonly replays: ReplayProgressReader;
  /** Absent: this plane sends no webhooks. */
  readonly webhooks?: WebhookDesk;
  /** Seals and opens personal data. */
  readonly personal: PersonalData;
  /** For looks at data subjects, and to destroy the key of one. */
  readonly dataKeys: Pick<DataKeyStore, "list" | "ofSubjects" | "destroy">;
  /** Processes and consumers of the whole plane. */
  readonly status: SystemStatusReader;
  readonly doorbell: Doorbell;
  readonly verifier: Verifier;
  readonly keys: KeyDirectory;
  /** The edge's signing key, for the tokens that it makes. */
  readonly signer: Signer;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Name of this edge in `causedBy`; short, because every event holds it. */
  readonly edge: string;
  /** Addresses and ranges of proxies whose X-Forwarded-For is believed; by default nobody's. */
  readonly trustedProxies?: readonly string[];
  /** Whether answers to reads are compressed where clients ask for it; default on. */
  readonly compression?: "on" | "off";
  /** Other origins whose pages may call, as `https://app.example.com`; by default none. */
  readonly allowedOrigins?: readonly string[];
  /** Wrong credentials that an address, and a key id, may show in a minute before further ones are answered 429; default 100. */
  readonly failedAttemptsPerMinute?: number;
  /** `open` serves /docs, /openapi.json and /asyncapi.json to anybody; by default nobody is. */
  readonly reference?: "open" | "off";
  /** Where the edges share what is left of limits. */
  readonly allowances: AllowanceStore;
  /** What tenants have whose quota does not say otherwise; by default {@link quotaDefaults}. The same at all edges. */
  readonly quotaDefaults?: Partial<QuotaDefaults>;
  /** What does not work for somebody while everybody else is served; shown by /readyz, which stays 200. */
  readonly degraded?: () => readonly string[];
  /** More reasons why this process is not ready, by name; empty when it is. Asked by /readyz. */
  readonly notReady?: () => Promise<readonly string[]>;
}
