/**
 * A plane that stands in a data folder: its keys, passwords, admin key and client context are files there, its database
 * is the given one or an embedded one in the same folder.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { AppDefinition } from "../event/index.js";
import type { Logger } from "../observe/index.js";
import { openEmbeddedPostgres } from "../store/postgres/embedded/index.js";
import { loginRoles, migrate } from "../store/postgres/index.js";
import type { Config } from "./config.js";
import { databasePasswords, keyFile, writeSecretFile } from "./key-files.js";
import { openPlane, type Plane, type PlaneOptions } from "./open-plane.js";

/** How to open one. */
export interface StandingPlaneOptions {
  readonly config: Config;
  readonly app: AppDefinition;
  readonly logger: Logger;
  /** Brings the database up first. `dev` does; in production `evtctl migrate up` does, and services refuse an old one. */
  readonly migrates: boolean;
  /** Ends the opening of an embedded database. */
  readonly signal?: AbortSignal;
}

/** Name of the admin key's file in the data folder. */
export const adminKeyFile = "admin.key";

/** A plane with its database. */
export class StandingPlane implements AsyncDisposable {
  readonly #base: Omit<PlaneOptions, "app">;
  readonly #embedded: AsyncDisposable | undefined;
  #plane: Plane;

  private constructor(plane: Plane, base: Omit<PlaneOptions, "app">, embedded: AsyncDisposable | undefined) {
    this.#plane = plane;
    this.#base = base;
    this.#embedded = embedded;
  }

  /**
   * Opens the database, the keys and the plane.
   *
   * @throws EventplaneError of the data folder, the database, the keys, the port; nothing stays open
   */
  static async open(options: StandingPlaneOptions): Promise<StandingPlane> {
    const { config, app, logger, signal } = options;
    const dataDir = config.required("data.dir");
    const given = config.text("database.url");
    const embedded = given === undefined ? await openEmbeddedPostgres({ dataDir, logger, ...(signal === undefined ? {} : { signal }) }) : undefined;
    try {
      const databaseUrl = given ?? embedded?.ownerUrl ?? "";
      const passwords = databasePasswords(dataDir, loginRoles);
      const rolePrefix = config.required("database.role-prefix");
      if (options.migrates) await migrate(databaseUrl, { rolePrefix, passwords });
      const adminKeyPath = join(dataDir, adminKeyFile);
      const base: Omit<PlaneOptions, "app"> = {
        databaseUrl,
        rolePrefix,
        passwords,
        connectionsMax: config.integer("database.pool-max"),
        keys: { root: keyFile(dataDir, "root").pem, edge: keyFile(dataDir, "edge").pem, runtime: keyFile(dataDir, "runtime").pem },
        edge: { host: config.required("edge.host"), port: config.integer("edge.port"), name: config.required("edge.name") },
        logger,
      };
      const onAdminKey = (key: string): void => writeSecretFile(adminKeyPath, `${key}\n`);
      const plane = await openPlane({ ...base, app, ...(existsSync(adminKeyPath) ? {} : { onAdminKey }) });
      return new StandingPlane(plane, base, embedded);
    } catch (error) {
      await embedded?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where it listens now. */
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
   * @throws EventplaneError when the new plane cannot be opened; then nothing is served
   */
  async replaceApp(app: AppDefinition): Promise<void> {
    const port = Number(new URL(this.#plane.url).port);
    await this.#plane.close();
    this.#plane = await openPlane({ ...this.#base, app, edge: { ...this.#base.edge, port } });
  }

  /** Drains and ends everything, the embedded database last. Idempotent. */
  async close(): Promise<void> {
    await this.#plane.close();
    await this.#embedded?.[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
