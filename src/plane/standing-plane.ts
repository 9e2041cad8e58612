/**
 * A plane that stands in a data folder: its keys, passwords, admin key and client context are files there, its database
 * is the given one or an embedded one in the same folder.
 */
import { join } from "node:path";
import type { AppDefinition } from "../event/index.js";
import { assert, EventplaneError, systemClock } from "../kernel/index.js";
import type { Logger } from "../observe/index.js";
import { installProjections } from "../projection/index.js";
import { openEmbeddedPostgres } from "../store/postgres/embedded/index.js";
import { loginRoles, migrate } from "../store/postgres/index.js";
import type { Config } from "./config.js";
import { appCacheFolder } from "./data-folder.js";
import {
  adminKeyFile,
  databasePasswords,
  hasAdminKey,
  keyFile,
  personalKeys,
  rootKey,
  writeSecretFile,
} from "./key-files.js";
import type { Plane, PlaneProcess } from "./open-plane.js";
import type { PlaneOptions } from "./plane-options.js";
import { holdingOf, parseProcessRoles, processRoles } from "./process-roles.js";
import { quotaDefaultsOf } from "./quota-defaults.js";
import { assertNoPassword, assertRoleFolder, assertRoleSettings } from "./role-folder.js";
import { transportOf } from "./transport-config.js";
import type { Watchdog } from "./watchdog/watchdog.js";

/** How to open one. */
export interface StandingPlaneOptions {
  readonly config: Config;
  /** May still be loading while the database starts. */
  readonly app: Promise<AppDefinition>;
  readonly logger: Logger;
  /** Brings the database up first. `dev` does; in production `evtctl migrate up` does, and services refuse an old one. */
  readonly migrates: boolean;
  /** Whether it takes HTTP requests; default true. */
  readonly listens?: boolean;
  /** Runs the controllers in threads that load the application from this file; absent: in this thread. */
  readonly threadsOf?: string;
  /** Names what holds the event loop; whoever made it ends it. */
  readonly watchdog?: Watchdog;
  /** Whether the edge serves its reference where the configuration does not say; default `off`. */
  readonly reference?: "open" | "off";
  /** Ends the opening of an embedded database. */
  readonly signal?: AbortSignal;
}

const lostCloseMs = 500;

/** With the engine of policies, which would else be loaded when the database is there. */
async function loadModules(config: Config): Promise<(options: PlaneOptions) => Promise<PlaneProcess>> {
  const [{ openPlane, openProcess }, { prepareCedar }] = await Promise.all([
    import("./open-plane.js"),
    import("../edge/index.js"),
  ]);
  const roles = rolesOf(config);
  if (roles.has("edge")) prepareCedar();
  return roles.size === processRoles.length ? openPlane : openProcess;
}

interface Database {
  readonly url: string;
  /** Rejects when an embedded server ends although nobody stopped it; a given one never does. */
  readonly lost: Promise<never>;
  close(): Promise<void>;
}

/** A plane with its database. */
export class StandingPlane implements AsyncDisposable {
  /** Rejects with `database_unreachable` when the embedded PostgreSQL ends by itself. Never resolves. */
  readonly lost: Promise<never>;
  readonly #base: Omit<PlaneOptions, "app">;
  readonly #database: Database;
  readonly #migrates: boolean;
  readonly #openPlane: (options: PlaneOptions) => Promise<PlaneProcess>;
  #app: AppDefinition;
  #plane: PlaneProcess;
  #isLost = false;
  #closing: Promise<void> | undefined;

  private constructor(parts: {
    plane: PlaneProcess;
    openPlane: (options: PlaneOptions) => Promise<PlaneProcess>;
    app: AppDefinition;
    base: Omit<PlaneOptions, "app">;
    database: Database;
    migrates: boolean;
  }) {
    this.#plane = parts.plane;
    this.#openPlane = parts.openPlane;
    this.#app = parts.app;
    this.#base = parts.base;
    this.#database = parts.database;
    this.#migrates = parts.migrates;
    this.lost = parts.database.lost;
    this.lost.catch(() => {
      this.#isLost = true;
    });
  }

  /**
   * Opens the database, the keys and the plane.
   *
   * @throws EventplaneError of the data folder, the database, the keys, the app, the port; nothing stays open
   */
  static async open(options: StandingPlaneOptions): Promise<StandingPlane> {
    // The server starts in its own process while the modules of the plane, the app and the engine of policies are loaded in this one.
    const broken = new AbortController();
    const loading = Promise.all([options.app, loadModules(options.config)]);
    loading.catch(() => broken.abort());
    const signal = options.signal === undefined ? broken.signal : AbortSignal.any([broken.signal, options.signal]);
    if (!isWhole(options.config)) assertLeastRights(options.config);
    const database = await openDatabase({ ...options, signal }).catch(async (error: unknown) => {
      if (broken.signal.aborted) await loading; // what is wrong with the app says more
      throw error;
    });
    try {
      const [app, openPlane] = await loading;
      const base = planeOptions(options, database.url);
      if (options.migrates) await install(base, app);
      const dataDir = options.config.required("data.dir");
      const onAdminKey = (key: string): void => writeSecretFile(join(dataDir, adminKeyFile), `${key}\n`);
      const plane = await openPlane({
        ...base,
        app,
        ...(hasAdminKey(dataDir) || !isWhole(options.config) ? {} : { onAdminKey }),
      });
      return new StandingPlane({ plane, openPlane, app, base, database, migrates: options.migrates });
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /** The plane as it runs now, of a process with every role; another one after {@link replaceApp}. */
  get plane(): Plane {
    assert("edge" in this.#plane, "this process has every role");
    return this.#plane as Plane; // openPlane gave it
  }

  /** Where it listens now; empty when it does not. */
  get url(): string {
    return this.#plane.url;
  }

  /** base64url of the root's raw public key. */
  get rootPublicKey(): string {
    return this.#plane.rootPublicKey;
  }

  /**
   * Runs another app on the same database and port. Open connections are ended; clients come back by position.
   *
   * @throws EventplaneError when the new app cannot be opened; the one before runs again
   */
  async replaceApp(app: AppDefinition): Promise<void> {
    if (this.#migrates) await install(this.#base, app);
    const { listen } = this.#base.edge;
    // On the port that it got, so that clients find it again.
    const again = listen === undefined ? {} : { listen: { ...listen, port: Number(new URL(this.#plane.url).port) } };
    const edge = { ...this.#base.edge, ...again };
    await this.#plane.close();
    try {
      this.#plane = await this.#openPlane({ ...this.#base, app, edge });
      this.#app = app;
    } catch (error) {
      this.#plane = await this.#openPlane({ ...this.#base, app: this.#app, edge });
      throw error;
    }
  }

  /** Drains and ends everything, the embedded database last. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    try {
      const closed = this.#plane.close();
      // Without its database it cannot write what is left; it would only try until its deadlines.
      await (this.#isLost ? Promise.race([closed, systemClock.sleep(lostCloseMs)]) : closed);
    } finally {
      await this.#database.close();
    }
  }
}

async function openDatabase({ config, logger, migrates, signal }: StandingPlaneOptions): Promise<Database> {
  const dataDir = config.required("data.dir");
  const given = config.text("database.url");
  const database = given === undefined ? await openEmbedded(dataDir, logger, signal) : givenDatabase(given);
  try {
    const rolePrefix = config.required("database.role-prefix");
    if (migrates) await migrate(database.url, { rolePrefix, passwords: databasePasswords(dataDir, loginRoles) });
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Schemas and tables of the app's projections. */
async function install(base: Omit<PlaneOptions, "app">, app: AppDefinition): Promise<void> {
  const { databaseUrl, rolePrefix } = base;
  await installProjections(databaseUrl, { rolePrefix, definitions: [...app.projections.values()] });
}

function givenDatabase(url: string): Database {
  return { url, lost: new Promise<never>(() => undefined), close: async () => undefined };
}

async function openEmbedded(dataDir: string, logger: Logger, signal: AbortSignal | undefined): Promise<Database> {
  const postgres = await openEmbeddedPostgres({ dataDir, logger, ...(signal === undefined ? {} : { signal }) });
  let isClosing = false;
  const lost = postgres.exited.then(({ code, signal: killer }): Promise<never> => {
    if (isClosing) return new Promise<never>(() => undefined);
    const how = killer === null ? `with status ${code}` : `by ${killer}`;
    throw new EventplaneError(
      "database_unreachable",
      `The embedded PostgreSQL ended ${how}. Nothing acknowledged is lost: start again; its log is ${join(dataDir, "postgres.log")}.`,
      { details: { dataDir } },
    );
  });
  lost.catch(() => undefined);
  const close = (): Promise<void> => {
    isClosing = true;
    return postgres.close();
  };
  return { url: postgres.ownerUrl, lost, close };
}

function planeOptions(
  { config, logger, listens = true, threadsOf: appFile, watchdog, reference = "off" }: StandingPlaneOptions,
  databaseUrl: string,
): Omit<PlaneOptions, "app"> {
  const dataDir = config.required("data.dir");
  const count = config.integer("runtime.threads");
  const roles = rolesOf(config);
  const { logins, keys, secrets, personal } = holdingOf(roles);
  const transport = transportOf(config);
  if (transport === undefined && !isWhole(config) && roles.has("relay"))
    throw new EventplaneError(
      "config_invalid",
      "The role relay needs nats.url: EVENTPLANE_NATS__URL=nats://host:4222.",
    );
  return {
    roles,
    ...(transport === undefined ? {} : { transport }),
    databaseUrl,
    rolePrefix: config.required("database.role-prefix"),
    passwords: databasePasswords(dataDir, isWhole(config) ? loginRoles : [...logins]),
    connectionsMax: config.integer("database.pool-max"),
    claimsMax: config.integer("runtime.concurrency"),
    ...(watchdog === undefined ? {} : { watchdog }),
    ...(appFile === undefined || count === 0
      ? {}
      : { threads: { count, data: { appFile, cacheDir: appCacheFolder(dataDir) } } }),
    workerStopGraceMs: config.integer("worker.stop-grace-ms"),
    // The lock of the data folder says so.
    isAlone: config.text("database.url") === undefined,
    keys: {
      ...rootKey(dataDir),
      ...Object.fromEntries([...keys].map((tier) => [tier, keyFile(dataDir, tier).pem])),
      ...(personal ? { personal: personalKeys(config) } : {}),
    },
    edge: {
      name: config.required("edge.name"),
      trustedProxies: config.texts("edge.trusted-proxies"),
      compression: config.required("edge.compression") === "off" ? "off" : "on",
      allowedOrigins: config.texts("edge.allowed-origins"),
      failedAttemptsPerMinute: config.integer("edge.failed-attempts-per-minute"),
      reference: (config.text("edge.reference") as typeof reference | undefined) ?? reference, // one of its choices
      quotaDefaults: quotaDefaultsOf(config),
      ...(listens ? { listen: { host: config.required("edge.host"), port: config.integer("edge.port") } } : {}),
    },
    ...(secrets.has("webhooks")
      ? {
          webhooks: {
            key: keyFile(dataDir, "webhooks").pem,
            allowedNetworks: config.texts("webhooks.allowed-networks"),
          },
        }
      : {}),
    logger,
  };
}

/** Of a process with some of the roles. @throws EventplaneError `rights_excessive` */
function assertLeastRights(config: Config): void {
  assertRoleFolder(config.required("data.dir"), rolesOf(config));
  assertRoleSettings(config, rolesOf(config));
  assertNoPassword(config.text("database.url") ?? "");
}

function rolesOf(config: Config): PlaneOptions["roles"] {
  return parseProcessRoles(config.texts("process.roles"));
}

/** Only where one process is the whole plane, its folder gets the first admin key; `evtctl migrate up` makes it for others. */
function isWhole(config: Config): boolean {
  return rolesOf(config).size === processRoles.length;
}
