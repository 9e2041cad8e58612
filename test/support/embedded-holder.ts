/**
 * A process that opens an embedded PostgreSQL, says so as one line of JSON, and stays until it is killed; its standard
 * input, when it ends, closes the server in order. A failed opening is told in the same way, with code and message.
 *
 * Arguments: the data directory, and optionally `--user=UID` to give up root first, when all modules are loaded.
 */

import { isEventplaneError } from "../../src/kernel/index.js";
import { openEmbeddedPostgres } from "../../src/store/postgres/embedded/index.js";

const [dataDir = "", user] = process.argv.slice(2);
const uid = Number(user?.slice("--user=".length));
if (user !== undefined) {
  process.setgid?.(uid);
  process.setuid?.(uid);
}

const tell = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

try {
  const postgres = await openEmbeddedPostgres({
    dataDir,
    logger: { info: () => {}, warn: (fields) => tell({ warned: fields }) },
  });
  tell({ ownerUrl: postgres.ownerUrl, pid: postgres.pid });
  process.stdin.resume();
  process.stdin.once("end", () => void postgres.close().then(() => process.exit(0)));
} catch (error) {
  if (!isEventplaneError(error)) throw error;
  tell({ code: error.code, message: error.message, details: error.details });
}
