/** The part of a process that acts on what administrators ask of controllers. */
import { ControllerChanges } from "../controller/index.js";
import type { Verifier } from "../event/index.js";
import { type Clock, type Doorbell, systemRandom } from "../kernel/index.js";
import type { Logger } from "../observe/index.js";
import type { Coalescer, ResourceLoader } from "../store/index.js";
import { PostgresReader } from "../store/postgres/index.js";
import { PostgresWorkStore } from "../work/postgres/index.js";
import type { DatabasePools } from "./database.js";

/** What it shares with the rest of the process. */
export interface ChangesParts {
  readonly pools: DatabasePools;
  readonly logs: { readonly runtime: Coalescer };
  readonly verifier: Verifier;
  readonly loader: ResourceLoader;
  readonly clock: Clock;
  readonly doorbell: Doorbell;
  readonly logger: Logger;
}

/** Makes the loop. */
export function openChanges(parts: ChangesParts): ControllerChanges {
  const { pools, logs, logger } = parts;
  return new ControllerChanges({
    ...parts,
    reader: new PostgresReader(pools.runtime),
    work: new PostgresWorkStore(pools.runtime),
    appending: logs.runtime,
    random: systemRandom,
    logger: logger.child({ role: "controllers" }),
  });
}
