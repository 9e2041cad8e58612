/** The folder that holds keys, passwords and, when embedded, the database. */
import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
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
    makeFolders(resolve(dataDir));
    accessSync(dataDir, constants.W_OK | constants.X_OK);
    makeFolders(appCacheFolder(dataDir));
  } catch (cause) {
    const message = `The data directory ${resolve(dataDir)} cannot be written: give this user the right to, or choose another one with --data-dir.`;
    throw new EventplaneError("data_directory_unwritable", message, { details: { dataDir }, cause });
  }
}

/** Level by level: a recursive `mkdir` of Node.js 20 never ends where a parent is there but takes no folders, as in /proc. */
function makeFolders(folder: string): void {
  if (existsSync(folder)) return;
  makeFolders(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it in between.
    if (!existsSync(folder)) throw error;
  }
}
