/** What an operator's machine does once, where root key and passwords are: keys introduced, first admin key made. */
import { join } from "node:path";
import { KeyDirectory } from "../event/index.js";
import { systemClock, systemIds } from "../kernel/index.js";
import { createLogger, createMetrics } from "../observe/index.js";
import { loginRoles, PostgresReader } from "../store/postgres/index.js";
import { Bootstrap } from "./bootstrap.js";
import type { Config } from "./config.js";
import { openPools } from "./database.js";
import { createDoorbell } from "./doorbell/index.js";
import { adminKeyFile, databasePasswords, hasAdminKey, keyFile, rootKey, writeSecretFile } from "./key-files.js";
import { openLogs } from "./shared.js";
import { openSigners } from "./signers.js";

const connectionsMax = 2;

/**
 * Introduces the data folder's signing keys to the platform log, and makes its admin key: so that no service ever needs the
 * root key. Repeats harmlessly; without `keys/root.key` it does nothing.
 *
 * @throws EventplaneError of the keys and the database
 */
export async function preparePlatform(config: Config, databaseUrl: string): Promise<void> {
  const dataDir = config.required("data.dir");
  const keys = rootKey(dataDir);
  if (!("root" in keys)) return;
  const signers = openSigners({
    ...keys,
    edge: keyFile(dataDir, "edge").pem,
    runtime: keyFile(dataDir, "runtime").pem,
  });
  const directory = new KeyDirectory(signers.rootPublicKey);
  const clock = systemClock;
  const pools = await openPools(databaseUrl, {
    rolePrefix: config.required("database.role-prefix"),
    passwords: databasePasswords(dataDir, loginRoles),
    connectionsMax,
    logger: createLogger({ level: "warn" }),
    logins: new Set(["edge"]),
  });
  const logs = openLogs({ pools, signers, doorbell: createDoorbell(), metrics: createMetrics(), clock });
  try {
    const reader = new PostgresReader(pools.edge);
    const steps = new Bootstrap({ reader, directory, clock, ids: systemIds, edgeName: config.required("edge.name") });
    await steps.introduce(signers.held, logs.root);
    if (hasAdminKey(dataDir)) return;
    writeSecretFile(join(dataDir, adminKeyFile), `${await steps.createAdminKey(logs.edge)}\n`);
  } finally {
    await logs.close();
    await pools.close();
  }
}
