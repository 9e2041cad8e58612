/** The passwords of the embedded PostgreSQL: random, made once, kept in a 0600 file of the data directory. */
import { randomBytes } from "node:crypto";
import { readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EventplaneError } from "../../../kernel/index.js";
import { directoryDamaged, fileFailure, isMissing } from "./failure.js";

/** Passwords of the bootstrap superuser and of the owner role. */
export interface Credentials {
  readonly superuser: string;
  readonly owner: string;
}

const SECRET_FILE = "postgres.secret";
const PASSWORD_BYTES = 32;
const OTHERS_ANY = 0o077;

const secretFile = (dataDir: string): string => join(dataDir, SECRET_FILE);

/** Reads the passwords; undefined when there are none yet. @throws EventplaneError `key_file_insecure`, `data_directory_damaged` */
export async function readCredentials(dataDir: string): Promise<Credentials | undefined> {
  const file = secretFile(dataDir);
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw fileFailure(error, dataDir);
  });
  if (text === undefined) return undefined;
  if (((await stat(file)).mode & OTHERS_ANY) !== 0) {
    throw new EventplaneError("key_file_insecure", `${file} can be read by other users. Run: chmod 600 ${file}`);
  }
  const credentials = parse(text);
  if (credentials === undefined) throw directoryDamaged(dataDir, `${SECRET_FILE} is not readable as JSON`);
  return credentials;
}

/** Makes new passwords and stores them; complete or not at all. */
export async function createCredentials(dataDir: string): Promise<Credentials> {
  const password = (): string => randomBytes(PASSWORD_BYTES).toString("base64url");
  const credentials: Credentials = { superuser: password(), owner: password() };
  const file = secretFile(dataDir);
  try {
    await writeFile(`${file}.new`, `${JSON.stringify(credentials)}\n`, { mode: 0o600 });
    await rename(`${file}.new`, file);
  } catch (error) {
    throw fileFailure(error, dataDir);
  }
  return credentials;
}

function parse(text: string): Credentials | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("superuser" in value) || !("owner" in value)) return undefined;
    const { superuser, owner } = value;
    return typeof superuser === "string" && typeof owner === "string" ? { superuser, owner } : undefined;
  } catch {
    return undefined;
  }
}
