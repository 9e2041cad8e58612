/**
 * The typed client of the HTTP API, for browsers and Node: fetch and nothing else.
 */
import type { CompatibilityMode, EffectState, Event, ProofDocument, ProvenEvent, Resource } from "../event/index.js";
import { EventplaneError } from "../kernel/errors.js";
import type { JsonObject } from "../kernel/index.js";
import { AdminClient } from "./admin-client.js";
import { problemError } from "./problem-error.js";
import type { ProjectionQueryView } from "./projection-client.js";
import { type ReadAllQuery, readAll } from "./read-all.js";
import type { StreamTokenInfo, StreamTokenRequest } from "./stream-token.js";
import { type SubscribeOptions, type SubscribeQuery, type SubscriptionItem, subscribe } from "./subscription.js";
import { type ClientOptions, ClientTransport } from "./transport.js";
import { uuid7 } from "./uuid7.js";

/** An intent as it is published. */
export interface ClientIntent {
  readonly type: string;
  readonly aggregateId?: string;
  readonly spec?: object;
  /** UUIDv4 or 7. The client makes one when it is absent, so that a lost answer can be asked for again. */
  readonly id?: string;
  readonly schemaVersion?: number;
  readonly expectedVersion?: number | "noStream" | "streamExists" | "any";
  readonly expectedGeneration?: number;
  readonly causationId?: string;
  readonly correlationId?: string;
  /** RFC 3339. */
  readonly occurredAt?: string;
}

/** What the edge says of an event that is in the log. */
export interface PublishReceipt {
  readonly id: string;
  readonly tenantId: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly version: number;
  readonly position: number;
  readonly generation: number;
  readonly correlationId: string;
  readonly hash: string;
  readonly recordedAt: string;
}

/** What became of one intent of a list. */
export type PublishItem =
  | { readonly result: "created" | "repeated" | "unchanged"; readonly receipt: PublishReceipt }
  | { readonly result: "refused"; readonly error: EventplaneError };

/** Which events to read. All given parts must match. */
export interface ReadEventsQuery extends Omit<SubscribeQuery, "after"> {
  readonly after?: number;
  readonly before?: number;
  readonly direction?: "forwards" | "backwards";
  /** Events on one page, 1 to 1,000; default 100. */
  readonly limit?: number;
  /** RFC 3339: recorded at or after, and before. */
  readonly recordedFrom?: string;
  readonly recordedBefore?: string;
  /** Beside an older spec what it says in the latest version of its schema, as `latest`. */
  readonly schema?: "latest";
}

/** An event as it is stored, and, where it was asked for and its schema is an older one, what it says in the latest version. */
export type ReadEvent = Event & { readonly latest?: { readonly schemaVersion: number; readonly spec: JsonObject } };

/** A resource as the edge shows it. */
export type ResourceView = Omit<Resource, "origin" | "expected" | "effects" | "emits" | "reconciles"> & {
  /** Outside calls that its controllers asked for since it was created, in no order. */
  readonly effects: readonly EffectState[];
  /** Controllers that the current generation waits for. */
  readonly waitsFor: readonly string[];
  /** The event that opened the current generation. */
  readonly originId: string | null;
};

/** A page of rows; everything up to `position` is in them. */
export interface ProjectionPageView<Row = JsonObject> {
  readonly rows: readonly Row[];
  readonly position: number;
  readonly next: string | null;
}

/** An intent's schema. */
export interface SchemaView {
  readonly type: string;
  readonly schemaVersion: number;
  readonly effect: "creates" | "updates" | "deletes";
  /** Bytes of a spec, where the type has a budget of its own. */
  readonly specBytesMax?: number;
  /** What its next version must be able to do. */
  readonly compatibility?: CompatibilityMode;
  /** When it was registered, of a type of the tenant's own; RFC 3339. */
  readonly registeredAt?: string;
  readonly schema: JsonObject;
}

/** A schema for a type of the tenant's own. */
export interface SchemaWish {
  /** JSON Schema 2020-12. */
  readonly schema: JsonObject;
  /** Default: that of the version before; of the first `backward`. */
  readonly compatibility?: CompatibilityMode;
}

/** What a schema would become if it were registered. */
export interface SchemaCheckResult extends Required<SchemaWish> {
  readonly type: string;
  /** The version that it would be. */
  readonly schemaVersion: number;
  readonly compatible: boolean;
  /** Why it may not follow the versions before it. */
  readonly reasons: readonly string[];
}

interface Abortable {
  readonly signal?: AbortSignal;
}

/** Makes a client. Nothing is sent before a method is called. */
export function createClient(options: ClientOptions): EventplaneClient {
  return new EventplaneClient(options);
}

/** The HTTP API of one edge. Every method throws the problem that the edge answered, as an EventplaneError. */
export class EventplaneClient {
  /** Tenants, keys and dead letters. */
  readonly admin: AdminClient;
  readonly #transport: ClientTransport;
  readonly #tenant: string | undefined;

  constructor(options: ClientOptions) {
    this.#transport = new ClientTransport(options);
    this.#tenant = options.tenant;
    this.admin = new AdminClient(this.#transport);
  }

  /**
   * Publishes one intent; sent again after a lost answer, with the same id.
   *
   * @param options.ifMatch the generation that the resource must have
   * @param options.idempotencyKey instead of an id: the same key of the same principal means the same intent, for ever
   * @returns the receipt; `repeated` when it was in the log already
   */
  async publish(
    intent: ClientIntent,
    options: Abortable & { readonly ifMatch?: number; readonly idempotencyKey?: string } = {},
  ): Promise<PublishReceipt & { readonly repeated: boolean }> {
    const { ifMatch, idempotencyKey } = options;
    const { headers, body } = await this.#transport.send({
      method: "POST",
      path: this.#path("/intents"),
      body: idempotencyKey === undefined ? this.#named(intent) : intent,
      headers: {
        ...(ifMatch === undefined ? {} : { "if-match": `"${ifMatch}"` }),
        ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
      },
      repeatable: true,
      signal: options.signal,
    });
    return { ...(body as PublishReceipt), repeated: headers.get("idempotent-replayed") === "true" }; // the route's answer
  }

  /** Publishes up to 1,000 intents, each for itself or, `atomic`, all or none; the results are in their order. */
  async publishMany(
    intents: readonly ClientIntent[],
    options: Abortable & { readonly atomic?: boolean } = {},
  ): Promise<readonly PublishItem[]> {
    const { body } = await this.#transport.send({
      method: "POST",
      path: this.#path("/intents"),
      body: {
        intents: intents.map((intent) => this.#named(intent)),
        ...(options.atomic === true ? { atomic: true } : {}),
      },
      repeatable: true,
      signal: options.signal,
    });
    const { results } = body as { readonly results: readonly ListedResult[] }; // the route's answer
    return results.map(itemOf);
  }

  /** Reads events page by page, in position order or backwards, until there are no more. */
  async *read(query: ReadEventsQuery = {}, options: Abortable = {}): AsyncGenerator<ReadEvent, void, undefined> {
    let page = await this.readPage(query, options);
    for (;;) {
      yield* page.events;
      if (page.next === null) return;
      const from = query.direction === "backwards" ? { before: page.next } : { after: page.next };
      page = await this.readPage({ ...query, ...from }, options);
    }
  }

  /**
   * Reads all events to the end of the log in one stream, as fast as they are taken; goes on where a connection broke.
   *
   * @returns the position up to which everything was looked at, for `after` of what comes next
   */
  readAll(query: ReadAllQuery = {}, { signal }: Abortable = {}): AsyncGenerator<Event, number, undefined> {
    return readAll(this.#transport, this.#path("/events"), { query, signal });
  }

  /** One page; `next` goes into `after` (backwards: `before`) of the next, null at the end. */
  readPage(
    query: ReadEventsQuery = {},
    { signal }: Abortable = {},
  ): Promise<{ readonly events: readonly ReadEvent[]; readonly next: number | null }> {
    return this.#get(this.#path("/events"), { query: { ...query }, signal });
  }

  /** One page of events with their proofs and exact stored texts, for a verifier. */
  readProvenPage(
    query: Omit<ReadEventsQuery, "schema"> = {},
    { signal }: Abortable = {},
  ): Promise<{ readonly events: readonly ProvenEvent[]; readonly next: number | null }> {
    return this.#get(this.#path("/events"), { query: { ...query, include: "proof" }, signal });
  }

  /** One event. @throws EventplaneError `not_found` */
  event(id: string, { signal }: Abortable = {}): Promise<Event> {
    return this.#get(this.#path(`/events/${encodeURIComponent(id)}`), { signal });
  }

  /** The proof of one event. @throws EventplaneError `not_found` */
  proof(id: string, { signal }: Abortable = {}): Promise<ProofDocument> {
    return this.#get(this.#path(`/events/${encodeURIComponent(id)}/proof`), { signal });
  }

  /** The events of one stream in version order. @throws EventplaneError `not_found` */
  async *stream(
    aggregateType: string,
    aggregateId: string,
    { signal }: Abortable = {},
  ): AsyncGenerator<Event, void, undefined> {
    const path = this.#path(`/streams/${encodeURIComponent(aggregateType)}/${encodeURIComponent(aggregateId)}`);
    for (let after = 0; ; ) {
      const page = await this.#get<{ events: readonly Event[]; next: number | null }>(path, {
        query: { after, limit: 1_000 },
        signal,
      });
      yield* page.events;
      if (page.next === null) return;
      after = page.next;
    }
  }

  /** One resource. @throws EventplaneError `not_found`; `timeout` when `minPosition` is not reached within 5 s */
  resource(
    aggregateType: string,
    aggregateId: string,
    options: Abortable & { readonly minPosition?: number } = {},
  ): Promise<ResourceView> {
    const path = this.#path(`/resources/${encodeURIComponent(aggregateType)}/${encodeURIComponent(aggregateId)}`);
    return this.#get(path, { query: { minPosition: options.minPosition }, signal: options.signal });
  }

  /** All resources of a type, by aggregate id. */
  async *resources(
    aggregateType: string,
    options: Abortable & { readonly limit?: number } = {},
  ): AsyncGenerator<ResourceView, void, undefined> {
    const path = this.#path(`/resources/${encodeURIComponent(aggregateType)}`);
    for (let after: string | undefined; ; ) {
      const query = { after, limit: options.limit };
      const page = await this.#get<{ resources: readonly ResourceView[]; next: string | null }>(path, {
        query,
        signal: options.signal,
      });
      yield* page.resources;
      if (page.next === null) return;
      after = page.next;
    }
  }

  /**
   * A page of one table of a projection.
   *
   * @param query.where values of groups, as `{ plan: "team" }`
   * @throws EventplaneError `not_found` for a projection that the app does not have; `request_invalid` for a table or a
   * parameter; `timeout` when `minPosition` is not reached within 5 s
   */
  query<Row = JsonObject>(
    projection: string,
    query: ProjectionQueryView,
    { minPosition, signal }: Abortable & { readonly minPosition?: number } = {},
  ): Promise<ProjectionPageView<Row>> {
    const { where = {}, ...rest } = query;
    const path = this.#path(`/projections/${encodeURIComponent(projection)}`);
    return this.#get(path, { query: { ...where, ...rest, minPosition }, signal });
  }

  /** All events of one correlation in position order; `causationId` makes them a tree. @throws EventplaneError `not_found` */
  async trace(correlationId: string, { signal }: Abortable = {}): Promise<readonly Event[]> {
    const path = this.#path(`/traces/${encodeURIComponent(correlationId)}`);
    const events: Event[] = [];
    for (let after: number | undefined; ; ) {
      const page = await this.#get<{ events: readonly Event[]; next: number | null }>(path, {
        query: { after },
        signal,
      });
      events.push(...page.events);
      if (page.next === null) return events;
      after = page.next;
    }
  }

  /** Follows the log: see {@link subscribe}. */
  subscribe(
    query: SubscribeQuery = {},
    options: SubscribeOptions = {},
  ): AsyncGenerator<SubscriptionItem, void, undefined> {
    return subscribe(this.#transport, this.#path("/subscribe"), { ...options, query });
  }

  /**
   * Makes a token with which a page may subscribe or read for at most ten minutes, in the application's server, with its API key.
   *
   * @throws EventplaneError `forbidden` where the key may not do it itself; `request_invalid` for what no token may be
   */
  async mintStreamToken(request: StreamTokenRequest = {}, { signal }: Abortable = {}): Promise<StreamTokenInfo> {
    const path = this.#path("/stream-tokens");
    const { body } = await this.#transport.send({ method: "POST", path, body: request, repeatable: true, signal });
    return body as StreamTokenInfo; // the route's answer
  }

  /** The schemas of all intents. */
  async schemas({ signal }: Abortable = {}): Promise<readonly SchemaView[]> {
    return (await this.#get<{ schemas: readonly SchemaView[] }>(this.#path("/schemas"), { signal })).schemas;
  }

  /** One schema. @throws EventplaneError `not_found` */
  schema(type: string, version: number, { signal }: Abortable = {}): Promise<SchemaView> {
    return this.#get(this.#path(`/schemas/${encodeURIComponent(type)}/${version}`), { signal });
  }

  /**
   * Registers a schema of a type of the tenant's own, which begins with `x-`, as this version: 1, or the one after the latest.
   * The same again changes nothing. Needs the grant `admin`.
   *
   * @throws EventplaneError `schema_invalid` and `schema_incompatible` with every reason, `schema_limit`, `wrong_expected_generation`
   */
  async registerSchema(
    type: string,
    version: number,
    { signal, ...wish }: SchemaWish & Abortable,
  ): Promise<SchemaView> {
    const path = this.#path(`/schemas/${encodeURIComponent(type)}/${version}`);
    const { body } = await this.#transport.send({ method: "PUT", path, body: wish, repeatable: true, signal });
    return body as SchemaView; // the route's answer
  }

  /** Says what {@link registerSchema} would, and registers nothing. @throws EventplaneError `schema_invalid` */
  async checkSchema(type: string, { signal, ...wish }: SchemaWish & Abortable): Promise<SchemaCheckResult> {
    const path = this.#path(`/schemas/${encodeURIComponent(type)}/check`);
    const { body } = await this.#transport.send({ method: "POST", path, body: wish, repeatable: true, signal });
    return body as SchemaCheckResult; // the route's answer
  }

  /** The introductions of signing keys. The root key in it is for comparison only: have it from elsewhere. */
  keysDocument({ signal }: Abortable = {}): Promise<{
    readonly rootKeyId: string;
    readonly rootPublicKey: string;
    readonly keys: readonly JsonObject[];
  }> {
    return this.#get("/.well-known/eventplane-keys.json", { signal });
  }

  async #get<Body>(
    path: string,
    options: {
      readonly query?: Readonly<Record<string, string | number | undefined>>;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<Body> {
    const { query = {}, signal } = options;
    return (await this.#transport.send({ path, query, repeatable: true, signal })).body as Body; // the route's answer
  }

  #path(rest: string): string {
    if (this.#tenant === undefined) {
      throw new EventplaneError("usage", "This client has no tenant. Give `tenant` to createClient.");
    }
    return `/v1/tenants/${encodeURIComponent(this.#tenant)}${rest}`;
  }

  #named(intent: ClientIntent): ClientIntent {
    return intent.id === undefined ? { ...intent, id: uuid7(this.#transport.clock.nowUs()) } : intent;
  }
}

type ListedResult =
  | { readonly result: "created" | "repeated" | "unchanged"; readonly receipt: PublishReceipt }
  | { readonly result: "refused"; readonly problem: { readonly status: number } };

function itemOf(listed: ListedResult): PublishItem {
  return listed.result === "refused"
    ? { result: "refused", error: problemError(listed.problem, listed.problem.status) }
    : listed;
}
