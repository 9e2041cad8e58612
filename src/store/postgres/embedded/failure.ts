/**
 * Translates what the file system and the PostgreSQL programs say into the codes of Eventplane.
 *
 * Matching is on texts of the C locale, which every program is started with.
 */
import { type ErrorCode, EventplaneError, isEventplaneError } from "../../../kernel/index.js";

const noSpace = /No space left on device|Disk quota exceeded|File too large/;
const noPermission =
  /Permission denied|Operation not permitted|Read-only file system|wrong ownership|invalid permissions/;
const noMemory = /shared memory|Cannot allocate memory|out of memory|semaphores/i;
const inUse = /lock file ".*" already exists/;
const damaged =
  /not compatible|incompatible|checksum|checkpoint|could not (open|read|access|find|locate|load|stat)|invalid|corrupt|bogus data|is missing|does not exist|not a valid|unexpected/i;

const diskFullCodes: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
const LINE_LENGTH_MAX = 300;

/** The `code` of a Node.js system error, or undefined. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** True when `error` says that a file or process is not there. */
export function isMissing(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOENT" || code === "ESRCH";
}

/** A file system error inside the data directory as `disk_full`, `data_directory_damaged` or `data_directory_unwritable`. */
export function fileFailure(error: unknown, dataDir: string): EventplaneError {
  if (isEventplaneError(error)) return error;
  const code = systemCode(error);
  if (code !== undefined && diskFullCodes.has(code)) return diskFull(dataDir, error);
  const details = { dataDir, systemError: code ?? "unknown" };
  if (code === "EIO") {
    const message = `The disk under ${dataDir} reports errors (EIO). Check the disk, then restore the folder from a backup.`;
    return new EventplaneError("data_directory_damaged", message, { details, cause: error });
  }
  const message =
    code === "ENOTDIR" || code === "EEXIST"
      ? `${dataDir} is not a directory. Choose another data directory.`
      : `Cannot write to the data directory ${dataDir} (${code ?? "unknown error"}). Give this user write permission or choose another data directory.`;
  return new EventplaneError("data_directory_unwritable", message, { details, cause: error });
}

/** `disk_full` for the file system that holds `dataDir`. */
export function diskFull(dataDir: string, cause?: unknown): EventplaneError {
  const message = `No space is left for the data directory ${dataDir}. Free some space (100 MB at least) and start again; nothing that was acknowledged is lost.`;
  return new EventplaneError("disk_full", message, { details: { dataDir }, cause });
}

/** `data_directory_damaged`: `problem` says what was found. */
export function directoryDamaged(dataDir: string, problem: string): EventplaneError {
  const message = `The data directory ${dataDir} is damaged: ${problem}. Restore it from a backup, or move it away to start with an empty one.`;
  return new EventplaneError("data_directory_damaged", message, { details: { dataDir } });
}

/** The first FATAL or PANIC message of a server log, else the first error line, else undefined; bounded, no control characters. */
export function explainingLine(log: string): string | undefined {
  const lines = log.split("\n");
  const line = lines.find((text) => /\b(FATAL|PANIC):/.test(text)) ?? lines.find((text) => /\berror:/i.test(text));
  if (line === undefined) return undefined;
  const message = line.replace(/^.*?\b(?:FATAL|PANIC|error):\s*/i, "");
  return message
    .replace(/\p{Cc}/gu, " ")
    .trim()
    .slice(0, LINE_LENGTH_MAX);
}

/** Why initdb or postgres did not come up, from its log since this start. */
export function serverFailure(
  log: string,
  options: { readonly dataDir: string; readonly logFile: string },
): EventplaneError {
  const line = explainingLine(log);
  if (noSpace.test(log)) return diskFull(options.dataDir);
  const said = line ?? "it gave no reason";
  const { code, advice } = diagnose(said);
  const message = `PostgreSQL did not start on ${options.dataDir}: ${said}. ${advice} Its log is ${options.logFile}.`;
  return new EventplaneError(code, message, { details: { dataDir: options.dataDir, logFile: options.logFile } });
}

function diagnose(line: string): { readonly code: ErrorCode; readonly advice: string } {
  if (inUse.test(line)) {
    return {
      code: "data_directory_in_use",
      advice: "Stop the PostgreSQL that uses this folder, or choose another one.",
    };
  }
  if (noPermission.test(line)) {
    return {
      code: "data_directory_unwritable",
      advice: "Give its user the ownership of the folder, or choose another one.",
    };
  }
  if (!noMemory.test(line) && damaged.test(line)) {
    return {
      code: "data_directory_damaged",
      advice: "Restore the folder from a backup, or move it away to start with an empty one.",
    };
  }
  return {
    code: "database_unreachable",
    advice: "Start again; if it stays, set DATABASE_URL to a PostgreSQL of your own.",
  };
}
