/**
 * `plane.as({ tenant, principal })`: the way in for the application that runs the plane in its own process.
 *
 * Intents take the pipeline of HTTP, scanner and stamps included, with `via` = `embedded`. Who the principal is, the
 * application has found out itself; it acts within one tenant, as a publisher and reader.
 */
import type { AnyAggregate, IntentMessage, SpecOf, StatusOf } from "../controller/index.js";
import {
  type Edge,
  type Grant,
  type GuardLoader,
  type PlatformFold,
  type Principal,
  type PublishResult,
  type ResourceSource,
  readPublishBody,
} from "../edge/index.js";
import { type Event, type Resource, toEvent } from "../event/index.js";
import { assert, EventplaneError, type IdSource, limits, PLATFORM_TENANT_ID, type TenantId } from "../kernel/index.js";
import type { PersonalData } from "../personal/index.js";
import type {
  DeclaredTables,
  ProjectionOf,
  ProjectionPage,
  ProjectionQueries,
  ProjectionQuery,
  RowOf,
  TypedQuery,
} from "../projection/index.js";
import type { ReadQuery, Receipt } from "../store/index.js";
import { type Settlement, type SettlementPorts, type SettleOptions, settlementOf } from "./settlement.js";

/** Who acts where. */
export interface CallerIdentity {
  /** Id or slug. */
  readonly tenant: string;
  /** `id` is opaque and no personal datum: every event that follows holds it. `type` is `user` by default. */
  readonly principal: { readonly id: string; readonly type?: string };
}

/** How an intent is published. */
export interface EmbeddedPublishOptions extends SettleOptions {
  /** Names the call for its repetitions: the same key with the same intent is stored once, for ever. */
  readonly idempotencyKey?: string;
  /** Waits until the generation has ended; default `accepted`, which is durable. */
  readonly wait?: "accepted" | "settled";
}

/** How a list is published. */
export interface EmbeddedListOptions extends Pick<EmbeddedPublishOptions, "idempotencyKey" | "signal"> {
  /** All of them in one append, or none; default false. */
  readonly atomic?: boolean;
}

/** What became of an intent that was not refused. */
export interface Published {
  readonly result: "created" | "repeated" | "unchanged";
  readonly receipt: Receipt;
  /** How the generation ended, when it was waited for. */
  readonly settled?: Settlement;
}

/** What a caller works with. */
export interface CallerParts extends SettlementPorts {
  readonly edge: Pick<Edge, "pipeline"> & { readonly platform: Pick<PlatformFold, "fresh"> };
  readonly loader: GuardLoader;
  readonly resources: ResourceSource;
  readonly queries: ProjectionQueries;
  readonly personal: PersonalData;
  readonly ids: IdSource;
}

/** A page of resources, typed by their aggregate; `next` goes into `after` of the next page. */
export interface TypedResourcePage<Of> {
  readonly resources: readonly TypedResource<Of>[];
  readonly next: string | null;
}

/** A resource, typed by its aggregate. */
export type TypedResource<Of> = Resource<SpecOf<Of>, Partial<StatusOf<Of>>>;

const grants: ReadonlySet<Grant> = new Set(["publisher", "reader", "subscriber"]);

/** A principal at work in one tenant. */
export class EmbeddedCaller<Message extends IntentMessage = IntentMessage> {
  readonly #parts: CallerParts;
  readonly #principal: Principal;

  /** @throws EventplaneError `platform_stale`; `forbidden` for a tenant that does not exist, and for the platform itself */
  constructor(parts: CallerParts, identity: CallerIdentity) {
    const tenantId = tenantIdIn(parts, identity.tenant);
    this.#parts = parts;
    this.#principal = { type: identity.principal.type ?? "user", id: identity.principal.id, tenantId, grants };
  }

  /** The tenant that it acts in. */
  get tenantId(): TenantId {
    return this.#principal.tenantId;
  }

  /**
   * Publishes an intent.
   *
   * @throws EventplaneError every refusal; `busy`, `unavailable`: the outcome is unknown, and sending it again is harmless
   * only with an id or an idempotency key; NotSettledError with `wait: "settled"`: it is accepted all the same
   */
  publish(intent: Message, options?: EmbeddedPublishOptions): Promise<Published>;
  /**
   * Publishes intents, each with its own result in their order.
   *
   * @throws EventplaneError with `atomic` every refusal; `json_*`, `payload_too_large`, `too_many_events`, `busy`, `unavailable`
   */
  publish(intents: readonly Message[], options?: EmbeddedListOptions): Promise<readonly PublishResult[]>;
  publish(
    intents: Message | readonly Message[],
    options: EmbeddedPublishOptions & EmbeddedListOptions = {},
  ): Promise<Published | readonly PublishResult[]> {
    // Array.isArray loses the readonly element type.
    return Array.isArray(intents) ? this.#send({ intents }, options) : this.#publishOne(intents as Message, options);
  }

  /**
   * Waits until the generation that the receipt opened has ended.
   *
   * @throws NotSettledError
   */
  settled(receipt: Receipt, options: SettleOptions = {}): Promise<Settlement> {
    return settlementOf(this.#parts, receipt, options);
  }

  /**
   * A resource as the log has it now, every event of it verified; undefined when there is none.
   *
   * @throws EventplaneError `verification_failed`, `unavailable`
   */
  async resource<Of extends AnyAggregate>(
    { definition: { name } }: Of,
    aggregateId: string,
  ): Promise<TypedResource<Of> | undefined> {
    const sealed = await this.#parts.loader.load(this.tenantId, { aggregateType: name, aggregateId });
    if (sealed === undefined) return undefined;
    const found = await this.#parts.personal.openValue(this.tenantId, sealed);
    const { origin } = found; // who asked for it stays in the log
    return { ...found, origin: origin === null ? null : { ...origin, causedByText: "{}" } } as TypedResource<Of>; // its schemas let it in
  }

  /**
   * Resources of an aggregate by their ids, as the projection has them: a moment behind the log.
   *
   * @param query.limit 1 to 1,000; default 100
   * @throws EventplaneError `unavailable`
   */
  async resources<Of extends AnyAggregate>(
    { definition: { name } }: Of,
    { after, limit = 100 }: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<TypedResourcePage<Of>> {
    const query = { aggregateType: name, limit, ...(after === undefined ? {} : { after }) };
    const page = await this.#parts.resources.list(this.tenantId, query);
    return (await this.#parts.personal.openValue(this.tenantId, page)) as TypedResourcePage<Of>; // their schemas let them in
  }

  /**
   * A page of a table of a projection, as it is a moment behind the log; with `minPosition`, the position of a receipt, not
   * before that event is in it.
   *
   * @example
   * const { receipt } = await me.publish(organization.changePlan(id, { plan: "team" }));
   * await me.query(byPlan, { table: "plans", where: { plan: "team" } }, { minPosition: receipt.position });
   * @throws EventplaneError `not_found` for a projection that the app does not have; `request_invalid`; `timeout` after 5 s;
   * `busy`, `unavailable`
   */
  async query<Tables extends DeclaredTables, const Name extends keyof Tables & string>(
    { definition: { name } }: ProjectionOf<Tables>,
    query: TypedQuery<Tables, Name>,
    options: { readonly minPosition?: number } = {},
  ): Promise<ProjectionPage<RowOf<Tables[Name]>>> {
    const asked = { ...(query as ProjectionQuery), ...options }; // the same members, with the names of one table
    const page = await this.#parts.queries.query(this.tenantId, name, asked);
    return (await this.#parts.personal.openValue(this.tenantId, page)) as unknown as ProjectionPage<
      RowOf<Tables[Name]>
    >; // the fold let nothing else in
  }

  /** A page of the tenant's log; payloads are decoded when they are looked at. @throws EventplaneError `unavailable` */
  async events(query: ReadQuery = {}): Promise<readonly Event[]> {
    const limit = Math.min(query.limit ?? limits.readPageMax, limits.readPageMax);
    const rows = await this.#parts.reader.read(this.tenantId, { ...query, limit });
    return (await this.#parts.personal.openRows(this.tenantId, rows)).map(toEvent);
  }

  async #publishOne(intent: Message, options: EmbeddedPublishOptions): Promise<Published> {
    const { wait, timeoutMs, ...sending } = options;
    const [published] = await this.#send(intent, sending);
    assert(published !== undefined, "every intent has a result");
    if (published.result === "refused") throw published.error;
    if (wait !== "settled") return published;
    const { signal } = options;
    const waiting = { ...(timeoutMs === undefined ? {} : { timeoutMs }), ...(signal === undefined ? {} : { signal }) };
    return { ...published, settled: await this.settled(published.receipt, waiting) };
  }

  /** The bytes that HTTP would take: whatever it refuses is refused here. */
  async #send(content: object, options: EmbeddedListOptions): Promise<readonly PublishResult[]> {
    const { atomic = false, idempotencyKey, signal } = options;
    const { edge, ids } = this.#parts;
    const { intents, isList } = await readPublishBody(Buffer.from(JSON.stringify(content), "utf8"));
    return edge.pipeline.publish(this.#principal, this.tenantId, intents, {
      atomic,
      isList,
      idempotencyKey,
      requestId: ids.uuid7(),
      via: "embedded",
      ...(signal === undefined ? {} : { signal }),
    });
  }
}

function tenantIdIn({ edge }: CallerParts, idOrSlug: string): TenantId {
  const tenant = edge.platform.fresh().tenant(idOrSlug);
  if (tenant !== undefined && tenant.id !== PLATFORM_TENANT_ID) return tenant.id;
  throw new EventplaneError(
    "forbidden",
    "There is no such tenant to act in. `evtctl tenant list` shows those that exist.",
  );
}
