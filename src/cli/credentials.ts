/**
 * Whom evtctl talks to, and as whom: flag, environment, then the context file that `dev` wrote. Secrets come from the
 * environment, from files that only their owner can read, or from standard input; never from argv.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createClient, type EventplaneClient } from "../client/index.js";
import { EventplaneError } from "../kernel/errors.js";
import { adminKeyFile, type ClientContext, contextFile, readContext, readSecretFile } from "../plane/index.js";

/** Where a value came from, for `config show`. */
export interface Sourced {
  readonly value: string | undefined;
  readonly origin: string;
}

/** What the command line and the environment say. */
export interface CredentialSources {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly url?: string | undefined;
  readonly tenant?: string | undefined;
  readonly dataDir?: string | undefined;
  readonly apiKeyStdin?: boolean | undefined;
  readonly readStdin: () => Promise<string>;
}

const defaultUrl = "http://127.0.0.1:8787";
const defaultDataDir = ".eventplane";
const keyForm = /^epk_[A-Za-z0-9_-]{1,150}$/;

/** Resolves address, tenant and key of one command. */
export class Credentials {
  readonly #sources: CredentialSources;
  #context: ClientContext | null | undefined;
  #stdinKey: Promise<string> | undefined;

  constructor(sources: CredentialSources) {
    this.#sources = sources;
  }

  /** The data folder, with keys and context. */
  get dataDir(): string {
    const { dataDir, environment } = this.#sources;
    return dataDir ?? nonEmpty(environment["EVENTPLANE_DATA__DIR"]) ?? defaultDataDir;
  }

  /** Where the context file is expected. */
  get contextPath(): string {
    return nonEmpty(this.#sources.environment["EVENTPLANE_CONTEXT"]) ?? join(this.dataDir, contextFile);
  }

  /** The context file's content; undefined when there is none. @throws EventplaneError `key_file_insecure` */
  get context(): ClientContext | undefined {
    this.#context ??= existsSync(this.contextPath) ? readContext(this.contextPath) : null;
    return this.#context ?? undefined;
  }

  /** The plane's address. */
  url(): Sourced {
    const { url, environment } = this.#sources;
    if (url !== undefined) return { value: url, origin: "flag" };
    const given = nonEmpty(environment["EVENTPLANE_URL"]);
    if (given !== undefined) return { value: given, origin: "environment" };
    if (this.context !== undefined) return { value: this.context.url, origin: this.contextPath };
    return { value: defaultUrl, origin: "default" };
  }

  /** The tenant that commands are about. */
  tenant(): Sourced {
    const { tenant, environment } = this.#sources;
    if (tenant !== undefined) return { value: tenant, origin: "flag" };
    const given = nonEmpty(environment["EVENTPLANE_TENANT"]);
    if (given !== undefined) return { value: given, origin: "environment" };
    return { value: this.context?.tenant, origin: this.context === undefined ? "absent" : this.contextPath };
  }

  /** The key of a tenant's own work. */
  async apiKey(): Promise<Sourced> {
    const given = await this.#givenKey();
    if (given.value !== undefined || this.context === undefined) return given;
    this.#assertOwnAddress(this.contextPath);
    return { value: checkedKey(this.context.apiKey, this.contextPath), origin: this.contextPath };
  }

  /** The key of administration: the given one, else the data folder's admin key. */
  async adminKey(): Promise<Sourced> {
    const given = await this.#givenKey();
    if (given.value !== undefined) return given;
    const path = join(this.dataDir, adminKeyFile);
    if (!existsSync(path)) return { value: undefined, origin: "absent" };
    this.#assertOwnAddress(path);
    return { value: checkedKey(readSecretFile(path), path), origin: path };
  }

  /** A client of the tenant. @throws EventplaneError `usage` when tenant or key are missing */
  async client(): Promise<EventplaneClient> {
    const tenant = this.tenant().value;
    if (tenant === undefined) throw missing("No tenant is given", "--tenant or EVENTPLANE_TENANT", this.contextPath);
    return this.#connect({ tenant, apiKey: await this.apiKey() });
  }

  /** A client with the admin key; its tenant is the one that commands are about, if any. */
  async admin(): Promise<EventplaneClient> {
    const tenant = this.tenant().value;
    return this.#connect({ ...(tenant === undefined ? {} : { tenant }), apiKey: await this.adminKey() });
  }

  #connect({ tenant, apiKey }: { readonly tenant?: string; readonly apiKey: Sourced }): EventplaneClient {
    const { value } = apiKey;
    if (value === undefined)
      throw missing(
        "No API key is given",
        "EVENTPLANE_API_KEY, EVENTPLANE_API_KEY_FILE or --api-key-stdin",
        this.contextPath,
      );
    return createClient({
      baseUrl: httpUrl(this.url().value ?? defaultUrl),
      apiKey: value,
      ...(tenant === undefined ? {} : { tenant }),
    });
  }

  async #givenKey(): Promise<Sourced> {
    const { environment, apiKeyStdin, readStdin } = this.#sources;
    if (apiKeyStdin === true) {
      this.#stdinKey ??= readStdin();
      return { value: checkedKey((await this.#stdinKey).trim(), "standard input"), origin: "standard input" };
    }
    const key = nonEmpty(environment["EVENTPLANE_API_KEY"]);
    if (key !== undefined) return { value: checkedKey(key, "EVENTPLANE_API_KEY"), origin: "environment" };
    const path = nonEmpty(environment["EVENTPLANE_API_KEY_FILE"]);
    if (path !== undefined) return { value: checkedKey(readSecretFile(path), path), origin: path };
    return { value: undefined, origin: "absent" };
  }

  /** A key that was found, not given, goes nowhere but to the plane that it was found with. */
  #assertOwnAddress(path: string): void {
    const { context } = this;
    const wanted = this.url().value ?? defaultUrl;
    if (context === undefined || originOf(context.url) === originOf(wanted)) return;
    const message = `The key in ${path} belongs to ${context.url} and is not sent to another address. Give the key of that plane in EVENTPLANE_API_KEY.`;
    throw new EventplaneError("usage", message);
  }
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url;
}

function httpUrl(text: string): string {
  if (URL.canParse(text) && ["http:", "https:"].includes(new URL(text).protocol)) return text;
  throw new EventplaneError(
    "usage",
    "The plane's address is no http or https URL; it looks like http://127.0.0.1:8787.",
  );
}

function checkedKey(key: string, from: string): string {
  if (keyForm.test(key)) return key;
  throw new EventplaneError("key_file_invalid", `What ${from} holds is no API key; one begins with epk_.`);
}

function missing(what: string, how: string, contextPath: string): EventplaneError {
  return new EventplaneError(
    "usage",
    `${what}: use ${how}, or a plane's context file (${contextPath} does not exist).`,
  );
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
