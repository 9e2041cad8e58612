/** The folder that holds keys, passwords and, when embedded, the database. */
import { accessSync, constants, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { EventplaneError } from "../kernel/errors.js";

/**
 * Makes the folder and asks whether it may be written, before a database would find out.
 *
 * @throws EventplaneError `data_directory_unwritable`
 */
export function prepareFolder(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    accessSync(dataDir, constants.W_OK | constants.X_OK);
    mkdirSync(join(dataDir, "cache"), { recursive: true, mode: 0o700 });
  } catch (cause) {
    const message = `The data directory ${resolve(dataDir)} cannot be written: give this user the right to, or choose another one with --data-dir.`;
    throw new EventplaneError("data_directory_unwritable", message, { details: { dataDir }, cause });
  }
}
