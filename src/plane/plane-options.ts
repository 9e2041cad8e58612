/** How a plane is opened. */
import type { EdgeDependencies } from "../edge/index.js";
import type { AppDefinition } from "../event/index.js";
import type { Logger } from "../observe/index.js";
import type { RolePasswords } from "../store/postgres/index.js";
import type { ProcessRole } from "./process-roles.js";
import type { PlaneKeys } from "./signers.js";
import type { ThreadsOptions } from "./threads/open-threads.js";
import type { TransportOptions } from "./transport-config.js";
import type { Watchdog } from "./watchdog/watchdog.js";

/** How to open a plane. */
export interface PlaneOptions {
  /** What this process does. */
  readonly roles: ReadonlySet<ProcessRole>;
  readonly app: AppDefinition;
  /** Any URL of the database; user and password are replaced by those of each role. */
  readonly databaseUrl: string;
  readonly rolePrefix: string;
  readonly passwords: RolePasswords;
  readonly connectionsMax: number;
  /** Work rows that the controllers hold at once; default: the runtime's. */
  readonly claimsMax?: number;
  /** Runs the controllers in threads that load this application themselves; default: in this thread. */
  readonly threads?: ThreadsOptions;
  /** Names what holds the event loop; of the process, not of the plane. */
  readonly watchdog?: Watchdog;
  /** How long `close` waits for calls of workers before it aborts them; default: the runtime's. */
  readonly workerStopGraceMs?: number;
  /** Where the relay publishes; absent: there is none, and no relay. */
  readonly transport?: TransportOptions;
  readonly keys: PlaneKeys;
  /** Without `listen` it is reached by {@link Plane.as} only. */
  readonly edge: Pick<
    EdgeDependencies,
    "trustedProxies" | "allowedOrigins" | "compression" | "failedAttemptsPerMinute" | "reference" | "quotaDefaults"
  > & {
    readonly name: string;
    readonly listen?: { readonly host: string; readonly port: number };
  };
  /** Sends webhooks; absent: this plane has none. The key is the same in all processes of a database. */
  readonly webhooks?: { readonly key: string; readonly allowedNetworks: readonly string[] };
  readonly logger: Logger;
  /** No other process works on this database: what a plane before this one had in hand when it was killed is due at once. */
  readonly isAlone?: boolean;
  /** Called with the text of a new admin key when the platform has none. */
  readonly onAdminKey?: (key: string) => Promise<void> | void;
}
