/**
 * Signing keys and passwords as files of the data folder: PKCS8 PEM and JSON, readable by their owner only.
 *
 * `keys/root.key` introduces the other keys. `dev` keeps it beside them and says so; in production it stays offline.
 */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { EventplaneError } from "../kernel/errors.js";
import { readSecretFile } from "./config.js";

/** The keys that a plane holds. */
export type KeyFileName = "root" | "edge" | "runtime";

/** Name of the admin key's file in the data folder. */
export const adminKeyFile = "admin.key";

const ownerOnly = 0o600;
const ownerOnlyFolder = 0o700;

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

/** The PEM of a key, made on first use. `created` tells whether this call made it. */
export function keyFile(dataDir: string, name: KeyFileName): { readonly pem: string; readonly created: boolean } {
  const path = join(dataDir, "keys", `${name}.key`);
  if (existsSync(path)) return { pem: readSecretFile(path), created: false };
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString().trim();
  writeSecretFile(path, `${pem}\n`);
  return { pem, created: true };
}

/** Passwords of the database's login roles, made on first use and kept in `database.json`. */
export function databasePasswords<Role extends string>(dataDir: string, roles: readonly Role[]): Record<Role, string> {
  const path = join(dataDir, "database.json");
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
