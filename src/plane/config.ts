/**
 * The configuration of a process: file < environment < flag, checked once, secrets marked.
 *
 * One table names every setting. `EVENTPLANE_<SECTION>__<KEY>` is derived from the setting's name
 * (`edge.port` → `EVENTPLANE_EDGE__PORT`); names that everybody has (`DATABASE_URL`, `PORT`, `LOG_LEVEL`) are aliases.
 * A secret may also come as `…_FILE`: the path of a file that only its owner can read.
 */
import { readFileSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { EventplaneError } from "../kernel/errors.js";

interface Setting {
  readonly kind: "text" | "integer" | "list";
  readonly default?: string;
  /** Other environment names, in order of preference after the derived one. */
  readonly aliases?: readonly string[];
  readonly secret?: true;
  readonly min?: number;
  readonly max?: number;
  /** Of a text: what it may be. */
  readonly choices?: readonly string[];
  readonly says: string;
}

const portMax = 65_535;

function rateOf(what: string, perSecond?: number): Setting {
  return {
    kind: "integer",
    ...(perSecond === undefined ? {} : { default: String(perSecond) }),
    min: 1,
    max: 1_000_000,
    says: `${what}, where its quota does not say otherwise${perSecond === undefined ? "; absent: as its tenant" : ""}`,
  };
}

/** Every setting, by its dotted name. */
export const settings: Readonly<Record<SettingName, Setting>> = {
  "data.dir": {
    kind: "text",
    default: ".eventplane",
    says: "Folder with keys, role passwords and, when embedded, the database",
  },
  "database.url": {
    kind: "text",
    aliases: ["DATABASE_URL"],
    secret: true,
    says: "PostgreSQL >= 15; `migrate` needs the owner in it, services replace the user by their own role; absent: embedded",
  },
  "database.role-prefix": { kind: "text", default: "eventplane", says: "First part of the database roles' names" },
  "database.pool-max": { kind: "integer", default: "8", min: 2, max: 200, says: "Connections of each role's pool" },
  "intake.owner-url": {
    kind: "text",
    secret: true,
    says: "Database of an application as its owner, for `evtctl intake install` alone",
  },
  "edge.host": { kind: "text", default: "127.0.0.1", says: "Address to listen on" },
  "edge.port": {
    kind: "integer",
    default: "8787",
    aliases: ["PORT"],
    min: 0,
    max: portMax,
    says: "Port to listen on; 0 takes a free one",
  },
  "edge.name": { kind: "text", default: "edge", says: "Name of this edge in causedBy" },
  "edge.trusted-proxies": {
    kind: "list",
    says: "Addresses and ranges of proxies whose X-Forwarded-For says where a request comes from; absent: nobody's",
  },
  "edge.allowed-origins": {
    kind: "list",
    says: "Origins such as https://app.example.com whose pages may call; absent: none",
  },
  "edge.compression": {
    kind: "text",
    choices: ["on", "off"],
    default: "on",
    says: "on: answers to reads are compressed where the client asks; off: where a proxy does it",
  },
  "edge.failed-attempts-per-minute": {
    kind: "integer",
    default: "100",
    min: 1,
    max: 1_000_000,
    says: "Wrong credentials that an address, and a key id, may show in a minute before further ones are answered 429",
  },
  "edge.reference": {
    kind: "text",
    choices: ["open", "off"],
    says: "open: serves /docs, /openapi.json and /asyncapi.json to anybody; by default open in `dev`, else off",
  },
  "process.roles": {
    kind: "list",
    says: "What this process does: edge, controllers, workers, projections, relay; absent: all. With fewer, its data folder holds what these need and nothing else",
  },
  "nats.url": {
    kind: "list",
    says: "Addresses of nats-server that the relay publishes to, nats://host:4222; absent: nothing is relayed",
  },
  "nats.credential": {
    kind: "text",
    secret: true,
    says: "How the relay shows itself to NATS: the seed of an nkey, the text of a .creds file, or a token",
  },
  "nats.replicas": {
    kind: "integer",
    default: "1",
    min: 1,
    max: 5,
    says: "Copies of the JetStream stream, where the relay makes it",
  },
  "limits.requests-per-second": rateOf("Requests of a tenant in a second", 10_000),
  "limits.events-per-second": rateOf("Events that a tenant publishes in a second", 50_000),
  "limits.principal-requests-per-second": rateOf("Requests of one principal in a second"),
  "limits.principal-events-per-second": rateOf("Events that one principal publishes in a second"),
  "limits.connections": {
    kind: "integer",
    default: "10000",
    min: 1,
    max: 1_000_000,
    says: "Subscriptions of a tenant that are open at once, where its quota does not say otherwise",
  },
  "limits.bytes-per-day": {
    kind: "integer",
    default: "1000000000000",
    min: 1,
    max: 1_000_000_000_000_000,
    says: "Bytes of specs that a tenant stores in a day, where its quota does not say otherwise",
  },
  "personal.keys": {
    kind: "list",
    secret: true,
    says: "Key-encryption keys of personal data, 32 bytes each in base64url, the newest first; absent: keys/personal.key in the data folder",
  },
  "runtime.concurrency": {
    kind: "integer",
    default: "128",
    min: 1,
    max: 1_000,
    says: "Work rows that this process holds at once",
  },
  "runtime.threads": {
    kind: "integer",
    default: String(Math.max(2, Math.min(4, availableParallelism() - 1))),
    min: 0,
    max: 64,
    says: "Threads that `start` runs controllers in; 0: its main thread, which one that hangs stops. By default 2 to 4, by processors",
  },
  "worker.stop-grace-ms": {
    kind: "integer",
    default: "10000",
    min: 0,
    max: 600_000,
    says: "Milliseconds that a stop waits for calls of workers before it aborts them",
  },
  "webhooks.allowed-networks": {
    kind: "list",
    says: "Addresses and ranges outside of the public internet that webhooks may be sent to, over http and on any port too; absent: none",
  },
  "log.level": { kind: "text", default: "info", aliases: ["LOG_LEVEL"], says: "debug, info, warn or error" },
  "app.config": { kind: "text", default: "eventplane.config.ts", says: "The application's file" },
};

/** Names of the settings. */
export type SettingName =
  | "data.dir"
  | "database.url"
  | "database.role-prefix"
  | "database.pool-max"
  | "intake.owner-url"
  | "edge.host"
  | "edge.port"
  | "edge.name"
  | "edge.trusted-proxies"
  | "edge.allowed-origins"
  | "edge.compression"
  | "edge.failed-attempts-per-minute"
  | "edge.reference"
  | "process.roles"
  | "limits.requests-per-second"
  | "limits.events-per-second"
  | "limits.principal-requests-per-second"
  | "limits.principal-events-per-second"
  | "limits.connections"
  | "limits.bytes-per-day"
  | "personal.keys"
  | "nats.url"
  | "nats.credential"
  | "nats.replicas"
  | "runtime.concurrency"
  | "runtime.threads"
  | "worker.stop-grace-ms"
  | "webhooks.allowed-networks"
  | "log.level"
  | "app.config";

/** Where a value came from. */
export type SettingOrigin = "default" | "file" | "environment" | "flag" | "absent";

/** One setting with its value as text; `shown` masks secrets. */
export interface ResolvedSetting {
  readonly name: SettingName;
  readonly environmentName: string;
  readonly value: string | undefined;
  readonly shown: string;
  readonly origin: SettingOrigin;
}

/** The sources of a configuration; later ones win. */
export interface ConfigSources {
  readonly file?: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly flags?: Readonly<Partial<Record<SettingName, string>>>;
}

/** The checked configuration of a process. */
export class Config {
  readonly #resolved: ReadonlyMap<SettingName, ResolvedSetting>;

  constructor(resolved: readonly ResolvedSetting[]) {
    this.#resolved = new Map(resolved.map((setting) => [setting.name, setting]));
  }

  /** The text of a setting; undefined when it is absent and has no default. */
  text(name: SettingName): string | undefined {
    return this.#resolved.get(name)?.value;
  }

  /** The text of a setting that has a default. */
  required(name: SettingName): string {
    const value = this.text(name);
    if (value === undefined) throw invalid(name, "is not set");
    return value;
  }

  /** The number of an integer setting. */
  integer(name: SettingName): number {
    return Number(this.required(name));
  }

  /** The number of an integer setting that may be absent. */
  optionalInteger(name: SettingName): number | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : Number(value);
  }

  /** The members of a list setting, which commas separate; empty when it is absent. */
  texts(name: SettingName): readonly string[] {
    const text = this.text(name) ?? "";
    return text.split(",").flatMap((part) => (part.trim() === "" ? [] : [part.trim()]));
  }

  /** True when the value did not come from the defaults. */
  isGiven(name: SettingName): boolean {
    const origin = this.#resolved.get(name)?.origin;
    return origin !== "default" && origin !== "absent";
  }

  /** All settings in the order of the table, secrets masked. */
  list(): readonly ResolvedSetting[] {
    return [...this.#resolved.values()];
  }
}

/**
 * Resolves and checks all settings.
 *
 * @throws EventplaneError `config_invalid` for an unknown name or a value out of range, `key_file_insecure` for a secret
 * file that others can read
 */
export function resolveConfig(sources: ConfigSources): Config {
  refuseUnknown(sources);
  const names = Object.keys(settings) as SettingName[]; // the table is keyed by SettingName
  return new Config(names.map((name) => resolve(name, sources)));
}

/** `edge.port` → `EVENTPLANE_EDGE__PORT`. */
function environmentName(name: string): string {
  return `EVENTPLANE_${name.replace(".", "__").replaceAll("-", "_").toUpperCase()}`;
}

/** Variables of ours that are not settings of a server: the client's. */
const clientVariables = new Set([
  "EVENTPLANE_URL",
  "EVENTPLANE_TENANT",
  "EVENTPLANE_API_KEY",
  "EVENTPLANE_API_KEY_FILE",
  "EVENTPLANE_CONTEXT",
]);

function refuseUnknown({ file = {}, environment }: ConfigSources): void {
  for (const name of Object.keys(file)) {
    if (!(name in settings)) throw invalid(name, "is not a setting; `evtctl config show` lists them");
  }
  const known = new Set(
    Object.keys(settings).flatMap((name) => [environmentName(name), `${environmentName(name)}_FILE`]),
  );
  for (const name of Object.keys(environment)) {
    if (name.startsWith("EVENTPLANE_") && !known.has(name) && !clientVariables.has(name)) {
      throw new EventplaneError("config_invalid", `${name} is not a setting; \`evtctl config show\` lists them.`, {
        details: { name },
      });
    }
  }
}

function resolve(name: SettingName, sources: ConfigSources): ResolvedSetting {
  const setting = settings[name];
  const found = firstOf(name, setting, sources);
  const value = found?.value ?? setting.default;
  if (value !== undefined) check(name, setting, value);
  return {
    name,
    environmentName: environmentName(name),
    value,
    shown: value === undefined ? "" : setting.secret === true ? maskSecret(value) : value,
    origin: found?.origin ?? (setting.default === undefined ? "absent" : "default"),
  };
}

function firstOf(
  name: SettingName,
  setting: Setting,
  sources: ConfigSources,
): { value: string; origin: SettingOrigin } | undefined {
  const flag = sources.flags?.[name];
  if (flag !== undefined) return { value: flag, origin: "flag" };
  for (const variable of [environmentName(name), ...(setting.aliases ?? [])]) {
    const value = sources.environment[variable];
    if (value !== undefined && value !== "") return { value, origin: "environment" };
    const path = setting.secret === true ? sources.environment[`${variable}_FILE`] : undefined;
    if (path !== undefined && path !== "") return { value: readSecretFile(path), origin: "environment" };
  }
  const fromFile = sources.file?.[name];
  return fromFile === undefined ? undefined : { value: fromFile, origin: "file" };
}

function check(name: SettingName, setting: Setting, value: string): void {
  if (setting.choices?.includes(value) === false) throw invalid(name, `must be ${setting.choices.join(" or ")}`);
  if (setting.kind !== "integer") return;
  const number = Number(value);
  const min = setting.min ?? 0;
  const max = setting.max ?? Number.MAX_SAFE_INTEGER;
  if (!/^\d+$/.test(value) || number < min || number > max) {
    throw invalid(name, `must be a whole number from ${min} to ${max}`);
  }
}

function invalid(name: string, why: string): EventplaneError {
  return new EventplaneError("config_invalid", `Setting ${name} ${why}.`, { details: { name } });
}

/** The address of a database keeps its shape and loses its password; any other secret is hidden whole, also one with a colon in it. */
function maskSecret(value: string): string {
  if (!/^postgres(?:ql)?:\/\//.test(value) || !URL.canParse(value)) return "****";
  const url = new URL(value);
  if (url.password !== "") url.password = "****";
  if (url.searchParams.has("password")) url.searchParams.set("password", "****");
  return url.toString();
}

const othersMask = 0o077;

/**
 * The trimmed content of a secret file.
 *
 * @throws EventplaneError `key_file_insecure` when group or others have any right on it, `key_file_invalid` when it cannot be read
 */
export function readSecretFile(path: string): string {
  let mode: number;
  let text: string;
  try {
    mode = statSync(path).mode;
    text = readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new EventplaneError("key_file_invalid", `The secret file ${path} cannot be read: check its path and owner.`, {
      details: { path },
      cause,
    });
  }
  if ((mode & othersMask) !== 0) {
    throw new EventplaneError(
      "key_file_insecure",
      `Others can read the secret file ${path}: run \`chmod 600 ${path}\`.`,
      { details: { path } },
    );
  }
  return text;
}
