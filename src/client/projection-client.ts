/** Projections for operators over HTTP. */
import type { JsonObject } from "../kernel/index.js";
import type { ClientTransport } from "./transport.js";

/** What can be asked of a projection. */
export type ProjectionRequestName = "pause" | "resume" | "reset" | "rebuild" | "verify";

/** A projection of one tenant. */
export interface ProjectionInfo {
  readonly name: string;
  /** Of the definition that the edge runs. */
  readonly version: number;
  readonly tenantId: string;
  /** `waiting`: nothing is folded yet. */
  readonly state: "running" | "paused" | "stopped" | "waiting";
  /** How many requests of its own are carried out. */
  readonly requests: number;
  /** What is read holds every event up to here. */
  readonly position: number;
  /** End of the tenant's log. */
  readonly head: number;
  readonly lagEvents: number;
  /** Age of the first event that is not in it, seconds. */
  readonly lagSeconds: number;
  /** Of the definition that what is read was folded by. */
  readonly liveVersion: number | null;
  readonly failure: { readonly code: string; readonly message: string; readonly position: number } | null;
  /** What is being folded anew beside it. */
  readonly fresh: { readonly role: "rebuild" | "verify"; readonly position: number } | null;
  /** The last comparison of a fresh fold with what was read: state digests at one position. */
  readonly check: {
    readonly position: number;
    readonly live: string;
    readonly fresh: string;
    readonly isSame: boolean;
  } | null;
}

/** A projection of all tenants together. */
export interface ProjectionTotals {
  readonly name: string;
  readonly version: number;
  readonly isPaused: boolean;
  /** How many requests there are for all tenants. */
  readonly requests: number;
  readonly tenants: number;
  readonly lagEvents: number;
  readonly stopped: readonly { readonly code: string; readonly tenants: number }[];
  /** Tenants whose last comparison found a difference. */
  readonly differing: number;
  /** Tenants that are folded anew, and how far together. */
  readonly fresh: { readonly tenants: number; readonly position: number; readonly head: number };
  /** Tenants that have not begun what was asked of all. */
  readonly waiting: number;
  /** The first hundred, of one projection only. */
  readonly stoppedTenants?: readonly {
    readonly tenantId: string;
    readonly code: string;
    readonly message: string;
    readonly position: number;
  }[];
}

/** A question to one table of a projection: `key` goes with counters, latest values and documents, `where` with groups. */
export interface ProjectionQueryView {
  readonly table: string;
  readonly key?: string;
  readonly where?: Readonly<Record<string, string>>;
  /** `next` of the page before. */
  readonly after?: string;
  /** 1 to 1,000; default 100. */
  readonly limit?: number;
}

/** A page of rows that are added up over all tenants; `tenants` says how many of them have such a row. */
export interface AcrossTenantsView<Row = JsonObject> {
  readonly rows: readonly (Row & { readonly tenants: number })[];
  readonly next: string | null;
}

interface OfTenant {
  /** Id or slug; without one the key's own, for a key of the platform all tenants. */
  readonly tenant?: string;
  readonly signal?: AbortSignal;
}

/** Needs a key with the grant `admin`. Every method throws the problem that the edge answered. */
export class ProjectionClient {
  readonly #transport: ClientTransport;

  constructor(transport: ClientTransport) {
    this.#transport = transport;
  }

  /** All projections of the app. */
  async list({ tenant, signal }: OfTenant = {}): Promise<readonly (ProjectionInfo | ProjectionTotals)[]> {
    const { body } = await this.#transport.send({ path: url, query: { tenant }, repeatable: true, signal });
    return (body as { readonly projections: readonly (ProjectionInfo | ProjectionTotals)[] }).projections; // the route's answer
  }

  /** One projection. @throws EventplaneError `not_found` */
  async get(name: string, { tenant, signal }: OfTenant = {}): Promise<ProjectionInfo | ProjectionTotals> {
    const path = `${url}/${encodeURIComponent(name)}`;
    const { body } = await this.#transport.send({ path, query: { tenant }, repeatable: true, signal });
    return body as ProjectionInfo | ProjectionTotals; // the route's answer
  }

  /**
   * A page of one table that is declared with `acrossTenants`, added up over all tenants. Needs a key of the platform.
   *
   * @throws EventplaneError `forbidden` for a key of a tenant; `not_found`; `request_invalid` for a table that is not
   * declared so, or a parameter
   */
  async acrossTenants<Row = JsonObject>(
    name: string,
    { where = {}, ...rest }: ProjectionQueryView,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<AcrossTenantsView<Row>> {
    const path = `${url}/${encodeURIComponent(name)}/across-tenants`;
    const { body } = await this.#transport.send({ path, query: { ...where, ...rest }, repeatable: true, signal });
    return body as AcrossTenantsView<Row>; // the route's answer
  }

  /**
   * Asks something of it; it is done a moment later: when `requests` of {@link get} has come to the returned number.
   *
   * Sent once: asked again after a lost answer, it is done again, which harms nobody.
   */
  async ask(request: ProjectionRequestName, name: string, { tenant, signal }: OfTenant = {}): Promise<number> {
    const path = `${url}/${encodeURIComponent(name)}/${request}`;
    const { body } = await this.#transport.send({ method: "POST", path, query: { tenant }, repeatable: false, signal });
    return (body as { readonly receipt: { readonly version: number } }).receipt.version; // the route's answer
  }
}

const url = "/v1/admin/projections";
