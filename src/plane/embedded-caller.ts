/**
 * `plane.as({ tenant, principal })`: the way in for the application that runs the plane in its own process.
 *
 * Intents take the pipeline of HTTP, scanner and stamps included, with `via` = `embedded`. Who the principal is, the
 * application has found out itself; it acts within one tenant, as a publisher and reader.
 */
import type { IntentMessage } from "../controller/index.js";
import {
  type Edge,
  type Grant,
  type PlatformFold,
  type Principal,
  type PublishResult,
  readPublishBody,
} from "../edge/index.js";
import { type Event, toEvent } from "../event/index.js";
import { EventplaneError, type IdSource, limits, PLATFORM_TENANT_ID, type TenantId } from "../kernel/index.js";
import type { LogReader, ReadQuery } from "../store/index.js";

/** Who acts where. */
export interface CallerIdentity {
  /** Id or slug. */
  readonly tenant: string;
  /** `id` is opaque and no personal datum: every event that follows holds it. `type` is `user` by default. */
  readonly principal: { readonly id: string; readonly type?: string };
}

/** How intents are published. */
export interface EmbeddedPublishOptions {
  /** All of them in one append, or none; default false. */
  readonly atomic?: boolean;
  /** Names the call for its repetitions. */
  readonly idempotencyKey?: string;
  /** An abort leaves the outcome open. */
  readonly signal?: AbortSignal;
}

/** What a caller needs of the edge. */
interface CallerEdge extends Pick<Edge, "pipeline"> {
  readonly platform: Pick<PlatformFold, "fresh">;
}

const grants: ReadonlySet<Grant> = new Set(["publisher", "reader", "subscriber"]);

/** A principal at work in one tenant. */
export class EmbeddedCaller {
  readonly #edge: CallerEdge;
  readonly #reader: LogReader;
  readonly #ids: IdSource;
  readonly #principal: Principal;

  /** @throws EventplaneError `platform_stale`; `forbidden` for a tenant that does not exist, and for the platform itself */
  constructor(
    parts: { readonly edge: CallerEdge; readonly reader: LogReader; readonly ids: IdSource },
    identity: CallerIdentity,
  ) {
    const tenantId = tenantIdIn(parts.edge, identity.tenant);
    this.#edge = parts.edge;
    this.#reader = parts.reader;
    this.#ids = parts.ids;
    this.#principal = { type: identity.principal.type ?? "user", id: identity.principal.id, tenantId, grants };
  }

  /**
   * Publishes intents, each with its own result in their order.
   *
   * @throws EventplaneError with `atomic` every refusal; `json_*`, `payload_too_large`, `too_many_events`, `busy`, `unavailable`
   */
  async publish(
    intents: readonly IntentMessage[],
    options: EmbeddedPublishOptions = {},
  ): Promise<readonly PublishResult[]> {
    const body = await readPublishBody(Buffer.from(JSON.stringify({ intents }), "utf8"));
    const { atomic = false, ...rest } = options;
    return this.#edge.pipeline.publish(this.#principal, this.#principal.tenantId, body.intents, {
      ...rest,
      atomic,
      isList: true,
      requestId: this.#ids.uuid7(),
      via: "embedded",
    });
  }

  /** A page of the tenant's log; payloads are decoded when they are looked at. @throws EventplaneError `unavailable` */
  async events(query: ReadQuery = {}): Promise<readonly Event[]> {
    const limit = Math.min(query.limit ?? limits.readPageMax, limits.readPageMax);
    return (await this.#reader.read(this.#principal.tenantId, { ...query, limit })).map(toEvent);
  }
}

function tenantIdIn(edge: CallerEdge, idOrSlug: string): TenantId {
  const tenant = edge.platform.fresh().tenant(idOrSlug);
  if (tenant !== undefined && tenant.id !== PLATFORM_TENANT_ID) return tenant.id;
  throw new EventplaneError(
    "forbidden",
    "There is no such tenant to act in. `evtctl tenant list` shows those that exist.",
  );
}
