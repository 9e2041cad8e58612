/** The data folder of a process that has some of the roles: made from the whole one, and refused where it holds more. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { EventplaneError } from "../kernel/errors.js";
import { type LoginRole, loginRoles } from "../store/postgres/index.js";
import { type Config, readSecretFile, type SettingName } from "./config.js";
import {
  adminKeyFile,
  copyKeyFile,
  databaseFile,
  databasePasswords,
  type KeyFileName,
  keyFile,
  personalKeyFile,
  personalKeyName,
  rootKey,
  writeSecretFile,
} from "./key-files.js";
import { holdingOf, type ProcessRole } from "./process-roles.js";

/**
 * Writes the folder of a process with these roles: their keys, the public half of the root's, the passwords of their logins.
 *
 * @param dataDir the whole folder, as `evtctl migrate up` left it
 * @param target a new or empty folder
 * @throws EventplaneError `config_invalid` when the target has files; `key_file_invalid`, `key_file_insecure`,
 * `data_directory_unwritable`
 */
export function exportRoleFolder(dataDir: string, target: string, roles: ReadonlySet<ProcessRole>): void {
  if (existsSync(target) && readdirSync(target).length > 0) {
    const message = `${target} has files already: name a new folder, so that nothing of another role is left in it.`;
    throw new EventplaneError("config_invalid", message, { details: { target } });
  }
  if (!existsSync(join(dataDir, databaseFile))) {
    const message = `${dataDir} has no ${databaseFile}: run evtctl migrate up with this data folder first.`;
    throw new EventplaneError("key_file_invalid", message, { details: { dataDir } });
  }
  const { logins, keys, secrets, personal } = holdingOf(roles);
  const all = databasePasswords(dataDir, loginRoles);
  const passwords = Object.fromEntries([...logins].map((login) => [login, all[login]]));
  rootKey(dataDir); // makes sure that its public half is there
  for (const name of [...keys, ...secrets]) {
    keyFile(dataDir, name);
    copyKeyFile(dataDir, target, `${name}.key`);
  }
  if (personal) {
    personalKeyFile(dataDir);
    copyKeyFile(dataDir, target, personalKeyName);
  }
  copyKeyFile(dataDir, target, "root.pub");
  writeSecretFile(join(target, databaseFile), `${JSON.stringify(passwords, null, 2)}\n`);
}

/**
 * Checks that a folder has no key and no password beyond those of these roles.
 *
 * @throws EventplaneError `rights_excessive` with what is too much
 */
export function assertRoleFolder(dataDir: string, roles: ReadonlySet<ProcessRole>): void {
  const { logins, keys, secrets, personal } = holdingOf(roles);
  const held: readonly KeyFileName[] = [...keys, ...secrets];
  const files = (["root", "edge", "runtime", "webhooks"] as const)
    .filter((name) => !held.includes(name))
    .map((name) => join("keys", `${name}.key`))
    .concat(personal ? [] : [join("keys", personalKeyName)], adminKeyFile)
    .filter((file) => existsSync(join(dataDir, file)));
  const excess = [...files, ...passwordsBeyond(dataDir, logins)];
  if (excess.length === 0) return;
  throw new EventplaneError(
    "rights_excessive",
    `${dataDir} holds what ${[...roles].join(", ")} may not: ${excess.join(", ")}. Give this process the folder that \`evtctl role export\` makes.`,
    { details: { excess } },
  );
}

/**
 * Checks that the URL brings no password: what services log in with is in their folder, and the owner's is for migrations.
 *
 * @throws EventplaneError `rights_excessive`
 */
export function assertNoPassword(databaseUrl: string): void {
  if (!URL.canParse(databaseUrl)) return;
  const { password, searchParams } = new URL(databaseUrl);
  if (password === "" && !searchParams.has("password")) return;
  throw new EventplaneError(
    "rights_excessive",
    "DATABASE_URL has a password: leave user and password out of it; this process logs in with those of its data folder.",
  );
}

/**
 * Checks that the settings bring no secret beyond those of these roles.
 *
 * @throws EventplaneError `rights_excessive`
 */
export function assertRoleSettings(config: Pick<Config, "text">, roles: ReadonlySet<ProcessRole>): void {
  const allowed: Readonly<Partial<Record<SettingName, boolean>>> = {
    "personal.keys": holdingOf(roles).personal,
    "nats.credential": roles.has("relay"),
    "intake.owner-url": false,
  };
  const names = Object.keys(allowed) as (keyof typeof allowed)[]; // the keys of the table
  const excess = names.filter((name) => allowed[name] === false && config.text(name) !== undefined);
  if (excess.length === 0) return;
  const message = `This process holds what ${[...roles].join(", ")} may not: ${excess.join(", ")}. Leave it out of its settings.`;
  throw new EventplaneError("rights_excessive", message, { details: { excess } });
}

function passwordsBeyond(dataDir: string, logins: ReadonlySet<LoginRole>): readonly string[] {
  const path = join(dataDir, databaseFile);
  if (!existsSync(path)) return [];
  let names: readonly string[] = [];
  try {
    names = Object.keys(JSON.parse(readSecretFile(path)) as object); // read only; parsePasswords says what is wrong with it
  } catch (error) {
    if (error instanceof EventplaneError) throw error;
  }
  return names.filter((name) => !logins.has(name as LoginRole)).map((name) => `password of ${name}`); // compared as text
}
