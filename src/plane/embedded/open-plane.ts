/** `openPlane(app, …)`: the plane in the process of the application that uses it, beside Express, Fastify, Next or nothing. */
import { resolve } from "node:path";
import type { App, IntentMessage } from "../../controller/index.js";
import type {
  AdministrationRequest,
  CreatedKey,
  Erasure,
  Grant,
  KeyWish,
  PlatformAdministration,
  Principal,
} from "../../edge/index.js";
import type { AppDefinition } from "../../event/index.js";
import { EventplaneError, PLATFORM_TENANT_ID, sha256, systemIds, type TenantId } from "../../kernel/index.js";
import { createLogger, type Logger } from "../../observe/index.js";
import {
  type AcrossTenantsPage,
  type DeclaredTables,
  type ProjectionOf,
  queryAcrossTenants,
  type RowOf,
  type TypedQuery,
} from "../../projection/index.js";
import { resolveConfig } from "../config.js";
import { prepareFolder } from "../data-folder.js";
import type { CallerIdentity, EmbeddedCaller } from "../embedded-caller.js";
import type { StandingPlane } from "../standing-plane.js";
import { type PlaneSlot, planeSlot } from "./plane-slots.js";
import { type PoolAddress, urlOfPool } from "./pool-address.js";

/** How to open one. */
export interface OpenPlaneOptions {
  /**
   * PostgreSQL ≥ 15. User and password are replaced by those of Eventplane's own roles, so the application's URL will do.
   * Without it and without `pool`: an embedded PostgreSQL in `dataDir`.
   */
  readonly databaseUrl?: string;
  /**
   * A `pg.Pool` of the application instead of a URL: the same database is used. Its connections are not: they log in as
   * the application, and no role but Eventplane's may write the log. They are encrypted as the pool's are.
   */
  readonly pool?: PoolAddress;
  /** Folder with keys and role passwords, the one that `evtctl migrate up` was run with; default `.eventplane`. */
  readonly dataDir?: string;
  /**
   * Brings the database up first, with the owner in `databaseUrl`. Default true for an embedded PostgreSQL, else false:
   * then `evtctl migrate up` does, and an old database is refused.
   */
  readonly migrate?: boolean;
  /** First part of the database roles' names; default `eventplane`. */
  readonly rolePrefix?: string;
  /** Connections of each of the four roles; 2 to 200, default 4. */
  readonly connectionsMax?: number;
  /** Serves HTTP and SSE on a port of its own, 0 for a free one; without it nobody listens. `host` is 127.0.0.1 by default. */
  readonly http?: { readonly port: number; readonly host?: string };
  /**
   * Runs controllers in threads of their own, which load the application from its file: one that hangs costs a thread, not
   * the event loop. `appFile` is TypeScript or JavaScript and exports the same app as its default; `count` is 1 to 64, by
   * default 2 to 4, by processors. Without it controllers run in this thread.
   */
  readonly threads?: { readonly appFile: string; readonly count?: number };
  /** Name of this process in `causedBy`; default `app`. */
  readonly name?: string;
  /** Anything with debug, info, warn, error and child, such as pino's; default: warnings and errors to standard output. */
  readonly logger?: Logger;
}

const ownPrincipal = { id: "app", type: "system" };
const connectionsMaxDefault = 4;
const dataDirDefault = ".eventplane";

/**
 * Opens a plane: controllers, workers, projections and, if asked for, HTTP, in this process, until `close()`.
 *
 * Safe to be called again when modules are reloaded: one process has one plane for a folder and database. The same app
 * again gives the one that runs; another one takes its place, and handles that were given before use it from then on.
 *
 * @throws EventplaneError `config_invalid`, `migration_needed`, `database_unreachable`, `data_directory_unwritable`,
 * `port_in_use` …: nothing stays open, and what ran before runs on
 */
export async function openPlane<Message extends IntentMessage, Workers>(
  app: App<Message, Workers>,
  options: OpenPlaneOptions = {},
): Promise<EmbeddedPlane<Message>> {
  const dataDir = resolve(options.dataDir ?? dataDirDefault);
  const databaseUrl = databaseOf(options);
  const slot = planeSlot(sha256(JSON.stringify([dataDir, databaseUrl ?? null])).toString("hex"));
  const plane = new EmbeddedPlane<Message>(slot);
  await slot.open(plane, app, () => start(app, { ...options, dataDir }, databaseUrl));
  return plane;
}

/** A plane that this process runs. */
export class EmbeddedPlane<Message extends IntentMessage = IntentMessage> implements AsyncDisposable {
  readonly #slot: PlaneSlot;

  /** Use {@link openPlane}. */
  constructor(slot: PlaneSlot) {
    this.#slot = slot;
  }

  /** Where it listens; undefined when it does not. @throws EventplaneError `unavailable` when it is closed */
  get url(): string | undefined {
    return this.#slot.standing.plane.url || undefined;
  }

  /** base64url of the root's raw public key: what verifiers must be given. */
  get rootPublicKey(): string {
    return this.#slot.standing.plane.rootPublicKey;
  }

  /** Rejects with `database_unreachable` when an embedded PostgreSQL ends by itself; never resolves. */
  get lost(): Promise<never> {
    return this.#slot.standing.lost;
  }

  /**
   * Somebody whom the application knows, at work in one tenant. Make one for each request.
   *
   * @throws EventplaneError `forbidden` for a tenant that does not exist; `platform_stale` when the event loop stood still
   * for a second; `unavailable` when the plane is closed
   */
  as(identity: CallerIdentity): EmbeddedCaller<Message> {
    return this.#slot.standing.plane.as(identity);
  }

  /**
   * Makes a tenant, or finds it.
   *
   * @param by who made it, for the platform's log; default the application
   * @throws EventplaneError `request_invalid` for a slug that a tenant may not have
   */
  async createTenant(slug: string, by: CallerIdentity["principal"] = ownPrincipal): Promise<TenantId> {
    return (await this.#administration.createTenant(slug, requestOf(by, "area:tenants"))).id;
  }

  /**
   * Makes an API key of a tenant, for those who reach it over HTTP. Its text is shown this once.
   *
   * @param tenant slug or id
   * @throws EventplaneError `forbidden` for a tenant that does not exist, `schema_violation`, `content_mismatch`
   */
  async createKey(tenant: string, wish: KeyWish, by: CallerIdentity["principal"] = ownPrincipal): Promise<CreatedKey> {
    return this.#administration.createKey(
      this.as({ tenant, principal: by }).tenantId,
      wish,
      requestOf(by, "area:keys"),
    );
  }

  /**
   * Erases the personal data of a data subject of a tenant, for ever: see docs/how-to/protect-personal-data.md.
   *
   * @param tenant slug or id
   * @param by who asked for it, for the tenant's log; default the application
   * @throws EventplaneError `forbidden` for a tenant that does not exist, `request_invalid` for a name that no subject may
   * have; `busy`, `unavailable`: ask again
   */
  eraseSubject(tenant: string, subject: string, by: CallerIdentity["principal"] = ownPrincipal): Promise<Erasure> {
    const { tenantId } = this.as({ tenant, principal: by });
    return this.#slot.standing.plane.eraseSubject(tenantId, subject, requestOf(by, "area:subjects"));
  }

  /**
   * A page of a table that is declared with `acrossTenants`, added up over all tenants as each of them stands: for the
   * platform's operator, since whoever runs the plane may see all of them.
   *
   * @example
   * (await plane.acrossTenants(byPlan, { table: "plans" })).rows // [{ group: { plan: "team" }, count: 42, sums: {}, tenants: 7 }]
   * @throws EventplaneError `not_found` for a projection that the app does not have; `request_invalid` for a table that is
   * not declared so; `projection_invalid` for a sum beyond 2^53 - 1; `unavailable`
   */
  acrossTenants<Tables extends DeclaredTables, const Name extends keyof Tables & string>(
    projection: ProjectionOf<Tables>,
    query: TypedQuery<Tables, Name>,
  ): Promise<AcrossTenantsPage<RowOf<Tables[Name]>>> {
    return queryAcrossTenants(this.#slot.standing.plane.queries, projection, query);
  }

  get #administration(): PlatformAdministration {
    return this.#slot.standing.plane.edge.administration;
  }

  /** Drains what is under way and ends connections and loops; nothing when it was opened again since. Idempotent. */
  close(): Promise<void> {
    return this.#slot.close(this);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** An administrator whom the application knows. */
function requestOf(
  { type = "user", id }: CallerIdentity["principal"],
  resource: AdministrationRequest["resource"],
): AdministrationRequest {
  const principal: Principal = { type, id, tenantId: PLATFORM_TENANT_ID, grants: new Set<Grant>(["admin"]) };
  return { principal, requestId: systemIds.uuid7(), via: "embedded", resource };
}

function databaseOf({ databaseUrl, pool }: OpenPlaneOptions): string | undefined {
  if (databaseUrl !== undefined && pool !== undefined) {
    throw new EventplaneError("config_invalid", "openPlane takes databaseUrl or pool, not both.");
  }
  return pool === undefined ? databaseUrl : urlOfPool(pool);
}

async function start(
  app: AppDefinition,
  options: OpenPlaneOptions & { readonly dataDir: string },
  databaseUrl: string | undefined,
): Promise<StandingPlane> {
  const { dataDir, http, migrate = databaseUrl === undefined, name = "app", logger } = options;
  const { rolePrefix, threads, connectionsMax = connectionsMaxDefault } = options;
  prepareFolder(dataDir);
  // What only wants the types and classes of this room does not load PostgreSQL's.
  const standing = await import("../standing-plane.js");
  const config = resolveConfig({
    environment: {},
    flags: {
      "data.dir": dataDir,
      "database.pool-max": String(connectionsMax),
      "edge.name": name,
      ...(databaseUrl === undefined ? {} : { "database.url": databaseUrl }),
      ...(rolePrefix === undefined ? {} : { "database.role-prefix": rolePrefix }),
      ...(http === undefined ? {} : { "edge.port": String(http.port) }),
      ...(threads?.count === undefined ? {} : { "runtime.threads": String(threads.count) }),
      ...(http?.host === undefined ? {} : { "edge.host": http.host }),
    },
  });
  return standing.StandingPlane.open({
    config,
    app: Promise.resolve(app),
    logger: logger ?? createLogger({ level: "warn", name: "eventplane" }),
    migrates: migrate,
    listens: http !== undefined,
    ...(threads === undefined ? {} : { threadsOf: threads.appFile }),
  });
}
