/** Replays over HTTP: a tenant's history given to one consumer again. */
import type { ClientTransport } from "./transport.js";

/** Which events are meant; every member narrows. */
export interface ReplayFilterInfo {
  /** By default, and at most, the one that the controller watches. */
  readonly aggregateType?: string;
  /** At most 100. */
  readonly aggregateIds?: readonly string[];
  /** At most 20. */
  readonly types?: readonly string[];
  readonly correlationId?: string;
  /** Positions between these two. */
  readonly after?: number;
  readonly before?: number;
  /** Recorded then or later, and before then; RFC 3339. */
  readonly recordedFrom?: string;
  readonly recordedBefore?: string;
}

/** What is wanted of a new replay. */
export interface ReplayWish {
  readonly target: { readonly controller: string };
  readonly filter?: ReplayFilterInfo;
  /** Events given in a second; default 100. */
  readonly ratePerSecond?: number;
  /** Says what would come of it; nothing is added. */
  readonly dryRun?: boolean;
  /** The consumer may make calls outside that it has not made before; default false. */
  readonly allowEffects?: boolean;
}

/** A replay. */
export interface ReplayInfo {
  readonly id: string;
  readonly tenantId: string;
  readonly target: { readonly kind: "controller"; readonly name: string };
  readonly filter: Omit<ReplayFilterInfo, "before">;
  /** The last position of it. */
  readonly until: number;
  readonly ratePerSecond: number;
  readonly dryRun: boolean;
  readonly allowEffects: boolean;
  readonly wanted: "running" | "paused" | "cancelled";
  readonly state: "pending" | "running" | "paused" | "cancelled" | "completed" | "failed";
  readonly progress: {
    /** Everything up to here was looked at. */
    readonly position: number;
    /** Events that were given. */
    readonly events: number;
    /** How often what came of it. */
    readonly results: Readonly<Record<string, number>>;
    readonly firstFailure: string | null;
  };
  /** Why it failed. */
  readonly reason: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

interface OfTenant {
  readonly tenant?: string;
  readonly signal?: AbortSignal;
}

const path = "/v1/admin/replays";

/** Needs a key with the grant `admin`. Every method throws the problem that the edge answered. */
export class ReplayClient {
  readonly #transport: ClientTransport;

  constructor(transport: ClientTransport) {
    this.#transport = transport;
  }

  /** Makes a replay of what is in the log now. Sent once: after a lost answer look at the list. */
  async create(wish: ReplayWish, options: OfTenant = {}): Promise<ReplayInfo> {
    return this.#post(path, options, wish);
  }

  /** Those of a tenant, the newest first; by default of the key's own. */
  async list({ tenant, signal }: OfTenant = {}): Promise<readonly ReplayInfo[]> {
    const { body } = await this.#transport.send({ path, query: { tenant }, repeatable: true, signal });
    return (body as { readonly replays: readonly ReplayInfo[] }).replays; // the route's answer
  }

  /** One with its progress. */
  async get(id: string, { tenant, signal }: OfTenant = {}): Promise<ReplayInfo> {
    const { body } = await this.#transport.send({ path: pathOf(id), query: { tenant }, repeatable: true, signal });
    return body as ReplayInfo; // the route's answer
  }

  /** Stops it until it is resumed. */
  async pause(id: string, options: OfTenant = {}): Promise<ReplayInfo> {
    return this.#post(`${pathOf(id)}/pause`, options);
  }

  /** Lets it go on where it was. */
  async resume(id: string, options: OfTenant = {}): Promise<ReplayInfo> {
    return this.#post(`${pathOf(id)}/resume`, options);
  }

  /** Ends it for good. */
  async cancel(id: string, options: OfTenant = {}): Promise<ReplayInfo> {
    return this.#post(`${pathOf(id)}/cancel`, options);
  }

  async #post(address: string, { tenant, signal }: OfTenant, wish?: object): Promise<ReplayInfo> {
    const content = wish === undefined ? {} : { body: wish };
    const query = { tenant };
    const { body } = await this.#transport.send({
      method: "POST",
      path: address,
      query,
      ...content,
      repeatable: false,
      signal,
    });
    return body as ReplayInfo; // the route's answer
  }
}

function pathOf(id: string): string {
  return `${path}/${encodeURIComponent(id)}`;
}
