/**
 * Signing keys and passwords as files of the data folder: PKCS8 PEM and JSON, readable by their owner only.
 *
 * `keys/root.key` introduces the other keys. Once they are introduced it may be kept elsewhere: `keys/root.pub` is enough.
 */
import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { EventplaneError } from "../kernel/errors.js";
import { type Config, readSecretFile } from "./config.js";

/** The keys that a plane holds. */
export type KeyFileName = "root" | "edge" | "runtime" | "webhooks";

/** Name of the admin key's file in the data folder. */
export const adminKeyFile = "admin.key";
/** Name of the file of the database's passwords in the data folder. */
export const databaseFile = "database.json";

const ownerOnly = 0o600;
const ownerOnlyFolder = 0o700;
const personalKeyBytes = 32;
/** Name of the file of the key-encryption keys in the folder of keys. */
export const personalKeyName = "personal.key";
/** The raw 32 bytes of an Ed25519 key in base64url. */
const rawPublicKey = /^[A-Za-z0-9_-]{43}$/;

/** Writes a file that only its owner can read, all or nothing; its folder is made when missing. */
export function writeSecretFile(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: ownerOnlyFolder });
    const temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`;
    writeFileSync(temporary, text, { mode: ownerOnly, flush: true });
    chmodSync(temporary, ownerOnly);
    renameSync(temporary, path);
  } catch (cause) {
    throw new EventplaneError(
      "data_directory_unwritable",
      `${path} cannot be written: check the folder's owner, rights and free space.`,
      {
        details: { path },
        cause,
      },
    );
  }
}

/**
 * The PEM of a key, made on first use. `created` tells whether this call made it.
 *
 * @throws EventplaneError `key_file_insecure`; `key_file_invalid` when the file holds no key, or the root key of a folder
 * that was used is gone: a new one would make another log of it
 */
export function keyFile(dataDir: string, name: KeyFileName): { readonly pem: string; readonly created: boolean } {
  const path = join(dataDir, "keys", `${name}.key`);
  if (existsSync(path)) {
    const known = readSecretFile(path);
    if (known.startsWith("-----BEGIN PRIVATE KEY-----")) return { pem: known, created: false };
    throw new EventplaneError(
      "key_file_invalid",
      `${path} holds no private key in PEM form: restore it from a backup.`,
      {
        details: { path },
      },
    );
  }
  if (name === "root" && existsSync(join(dataDir, adminKeyFile))) {
    const message = `${path} is missing, and the log of this folder began with it: restore it from a backup. No other key can take its place.`;
    throw new EventplaneError("key_file_invalid", message, { details: { path } });
  }
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString().trim();
  writeSecretFile(path, `${pem}\n`);
  return { pem, created: true };
}

/** Copies a file of the folder's `keys` to another folder. @throws EventplaneError `key_file_insecure`, `key_file_invalid`, `data_directory_unwritable` */
export function copyKeyFile(dataDir: string, target: string, file: string): void {
  writeSecretFile(join(target, "keys", file), `${readSecretFile(join(dataDir, "keys", file))}\n`);
}

/** Whether the folder has its admin key. @throws EventplaneError `key_file_insecure`, `key_file_invalid` when the file holds no API key */
export function hasAdminKey(dataDir: string): boolean {
  const path = join(dataDir, adminKeyFile);
  if (!existsSync(path)) return false;
  if (readSecretFile(path).startsWith("epk_")) return true;
  const message = `${path} holds no API key. Restore it, or remove it: the next start makes a new admin key.`;
  throw new EventplaneError("key_file_invalid", message, { details: { path } });
}

/**
 * The root key, made on first use; where it is kept elsewhere, its public half from `keys/root.pub`.
 *
 * @throws EventplaneError as {@link keyFile}
 */
export function rootKey(dataDir: string): { readonly root: string } | { readonly rootPublicKey: string } {
  const publicPath = join(dataDir, "keys", "root.pub");
  if (!existsSync(join(dataDir, "keys", "root.key")) && existsSync(publicPath)) {
    const rootPublicKey = readFileSync(publicPath, "utf8").trim();
    if (rawPublicKey.test(rootPublicKey)) return { rootPublicKey };
    const message = `${publicPath} holds no public key: restore it, or put keys/root.key back.`;
    throw new EventplaneError("key_file_invalid", message, { details: { path: publicPath } });
  }
  const { pem } = keyFile(dataDir, "root");
  if (!existsSync(publicPath)) {
    const { x = "" } = createPublicKey(pem).export({ format: "jwk" });
    writeSecretFile(publicPath, `${x}\n`);
  }
  return { root: pem };
}

/**
 * The key-encryption keys of personal data, the newest first: from the configuration, else from `keys/personal.key`, which is
 * made on first use.
 *
 * @throws EventplaneError `key_file_insecure`
 */
export function personalKeys(config: Config): readonly string[] {
  const given = config.text("personal.keys");
  if (given !== undefined) return keysIn(given);
  return keysIn(personalKeyFile(config.required("data.dir")));
}

/** The text of `keys/personal.key`, which is made on first use. @throws EventplaneError `key_file_insecure` */
export function personalKeyFile(dataDir: string): string {
  const path = join(dataDir, "keys", personalKeyName);
  if (!existsSync(path)) writeSecretFile(path, `${randomBytes(personalKeyBytes).toString("base64url")}\n`);
  return readSecretFile(path);
}

function keysIn(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((part) => part !== "");
}

/** Passwords of the database's login roles, made on first use and kept in `database.json`. */
export function databasePasswords<Role extends string>(dataDir: string, roles: readonly Role[]): Record<Role, string> {
  const path = join(dataDir, databaseFile);
  if (existsSync(path)) return parsePasswords(path, roles);
  const entries = roles.map((role) => [role, randomBytes(24).toString("base64url")] as const);
  const passwords = Object.fromEntries(entries) as Record<Role, string>; // one entry a role
  writeSecretFile(path, `${JSON.stringify(passwords, null, 2)}\n`);
  return passwords;
}

function parsePasswords<Role extends string>(path: string, roles: readonly Role[]): Record<Role, string> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readSecretFile(path));
  } catch (cause) {
    throw new EventplaneError(
      "key_file_invalid",
      `${path} is not JSON: restore it, or remove it and run \`evtctl migrate up\`.`,
      { cause },
    );
  }
  const found = parsed as Partial<Record<Role, unknown>> | null; // checked right below
  for (const role of roles) {
    if (typeof found?.[role] !== "string") {
      throw new EventplaneError(
        "key_file_invalid",
        `${path} has no password for ${role}: remove it and run \`evtctl migrate up\`.`,
      );
    }
  }
  return found as Record<Role, string>;
}
