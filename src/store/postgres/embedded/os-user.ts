/**
 * The operating-system user that PostgreSQL runs as: ours, or, because PostgreSQL refuses root, an unprivileged one.
 *
 * No user is created: that would change the machine without being asked.
 */
import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { EventplaneError } from "../../../kernel/index.js";

/** An unprivileged user to run as. */
export interface OsUser {
  readonly uid: number;
  readonly gid: number;
}

const run = promisify(execFile);
const candidates = ["postgres", "eventplane", "nobody"] as const;
const COMMAND_TIMEOUT_MS = 5_000;
const OTHERS_MAY_PASS = 0o001;
const GROUP_MAY_PASS = 0o010;
const OWNER_MAY_PASS = 0o100;

/**
 * undefined when this process is not root. For root: the owner of an existing cluster, so that it is the same user for
 * ever, else the first that exists of `postgres`, `eventplane`, `nobody`.
 *
 * @throws EventplaneError `database_unsupported` when none exists
 */
export async function chooseOsUser(clusterDir: string): Promise<OsUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(clusterDir).catch(() => undefined);
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  for (const name of candidates) {
    const user = await lookUp(name);
    if (user !== undefined) return user;
  }
  throw new EventplaneError(
    "database_unsupported",
    `PostgreSQL does not run as root, and none of the users ${candidates.join(", ")} exists. Start as an ordinary user, or set DATABASE_URL.`,
  );
}

/** Whether `user` (undefined: ourselves, always) may pass through every folder above and including `folder`, by mode bits. */
export async function canReach(folder: string, user: OsUser | undefined): Promise<boolean> {
  if (user === undefined) return true;
  for (let path = folder; ; path = dirname(path)) {
    const info = await stat(path);
    const bit = info.uid === user.uid ? OWNER_MAY_PASS : info.gid === user.gid ? GROUP_MAY_PASS : OTHERS_MAY_PASS;
    if ((info.mode & bit) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

async function lookUp(name: string): Promise<OsUser | undefined> {
  // `id` exits with 1 when there is no such user.
  const answers = await Promise.all(
    ["-u", "-g"].map((flag) => run("id", [flag, name], { timeout: COMMAND_TIMEOUT_MS }).catch(() => undefined)),
  );
  const [uid, gid] = answers.map((answer) => Number.parseInt(answer?.stdout ?? "", 10));
  return uid === undefined || gid === undefined || !(uid > 0) || !(gid >= 0) ? undefined : { uid, gid };
}
