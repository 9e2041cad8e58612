/**
 * What `dev` leaves for `evtctl` in the data folder: where the plane is, a tenant to play with and a key for it (0600).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "../client/index.js";
import { EventplaneError } from "../kernel/errors.js";
import { readSecretFile } from "./config.js";
import { adminKeyFile, writeSecretFile } from "./key-files.js";

/** The content of `context.json`. */
export interface ClientContext {
  readonly url: string;
  /** Slug of the tenant. */
  readonly tenant: string;
  readonly apiKey: string;
  /** base64url of the root's raw public key, for `evtctl verify`. */
  readonly rootPublicKey: string;
}

/** Name of the context file in the data folder. */
export const contextFile = "context.json";
const devTenant = "dev";

/** Writes the context for a plane at `url`; on first use makes the tenant `dev` and a key with every grant on it. */
export async function ensureDevContext(
  dataDir: string,
  plane: { readonly url: string; readonly rootPublicKey: string },
): Promise<ClientContext> {
  const path = join(dataDir, contextFile);
  const apiKey = existsSync(path) ? readContext(path).apiKey : await createDevKey(dataDir, plane.url);
  const context: ClientContext = { url: plane.url, tenant: devTenant, apiKey, rootPublicKey: plane.rootPublicKey };
  writeSecretFile(path, `${JSON.stringify(context, null, 2)}\n`);
  return context;
}

/**
 * Reads a context file.
 *
 * @throws EventplaneError `key_file_invalid`, `key_file_insecure`
 */
export function readContext(path: string): ClientContext {
  const context = parse(readSecretFile(path));
  if (isContext(context)) return context;
  const message = `${path} is not the context of a plane. Remove it: the next \`evtctl dev\` writes a new one, with a new key.`;
  throw new EventplaneError("key_file_invalid", message, { details: { path } });
}

/** undefined for what is not JSON: the parser's error would quote the file, which holds a key. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isContext(value: unknown): value is ClientContext {
  const context = value as Partial<Record<keyof ClientContext, unknown>> | null | undefined; // only looked at
  return [context?.url, context?.tenant, context?.apiKey, context?.rootPublicKey].every(
    (each) => typeof each === "string",
  );
}

async function createDevKey(dataDir: string, url: string): Promise<string> {
  const admin = createClient({ baseUrl: url, apiKey: readSecretFile(join(dataDir, adminKeyFile)) }).admin;
  await admin.createTenant({ slug: devTenant });
  const { key } = await admin.createKey(devTenant, { name: "dev", grants: ["publisher", "reader", "subscriber"] });
  return key;
}
