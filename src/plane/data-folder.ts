/** The folder that holds keys, passwords and, when embedded, the database. */
import { accessSync, constants, mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { EventplaneError } from "../kernel/errors.js";

/** Where a process keeps the translated files of its application. */
export function appCacheFolder(dataDir: string): string {
  return resolve(dataDir, "cache");
}

/**
 * Makes the folder and asks whether it may be written, before a database would find out.
 *
 * @throws EventplaneError `data_directory_unwritable`
 */
export function prepareFolder(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    accessSync(dataDir, constants.W_OK | constants.X_OK);
    mkdirSync(appCacheFolder(dataDir), { recursive: true, mode: 0o700 });
  } catch (cause) {
    const message = `The data directory ${resolve(dataDir)} cannot be written: give this user the right to, or choose another one with --data-dir.`;
    throw new EventplaneError("data_directory_unwritable", message, { details: { dataDir }, cause });
  }
}
