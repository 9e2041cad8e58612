/** Loads the application's file, TypeScript or JavaScript, without a build step of its own. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createJiti } from "jiti";
import type { AppDefinition } from "../event/index.js";
import { EventplaneError, isEventplaneError } from "../kernel/errors.js";

/** A file of any folder means this very copy, already loaded, when it says `eventplane`. By address, because this is no room's face. */
const ownModules = {
  eventplane: new URL("../index.js", import.meta.url).href,
  "eventplane/client": new URL("../client/index.js", import.meta.url).href,
};

/**
 * Evaluates the file afresh and gives its default export.
 *
 * @param options.cacheDir where translated files are kept; only its owner may write there, because they are executed
 * @throws EventplaneError `config_invalid` when the file is missing, fails to load, or exports no app; the message names
 * the file, and the line where the language gives one
 */
export async function loadApp(path: string, options: { readonly cacheDir?: string } = {}): Promise<AppDefinition> {
  const file = resolve(path);
  if (!existsSync(file)) {
    const message = `There is no ${file}: pass --config FILE, or leave it out to run the organizations example.`;
    throw new EventplaneError("config_invalid", message, { details: { file } });
  }
  const jiti = createJiti(pathToFileURL(file).href, {
    fsCache: options.cacheDir ?? false,
    moduleCache: false,
    interopDefault: true,
    virtualModules: await loadOwnModules(),
  });
  let app: unknown;
  try {
    app = await jiti.import(file, { default: true });
  } catch (cause) {
    const message = `${file} cannot be loaded: ${describe(cause, file)}`;
    throw new EventplaneError("config_invalid", message, { details: { file }, cause });
  }
  if (!isAppDefinition(app)) {
    const message = `${file} must export defineApp({ aggregates, controllers }) as its default.`;
    throw new EventplaneError("config_invalid", message, { details: { file } });
  }
  return app;
}

async function loadOwnModules(): Promise<Record<string, unknown>> {
  const entries = Object.entries(ownModules).map(
    async ([name, url]): Promise<[string, unknown]> => [name, await import(url)],
  );
  return Object.fromEntries(await Promise.all(entries));
}

/** The message and the first stack line inside the file; the author of the file is the reader. */
function describe(cause: unknown, file: string): string {
  if (!(cause instanceof Error)) return String(cause);
  const line = cause.stack?.split("\n").find((frame) => frame.includes(file) && /:\d+/.test(frame));
  const message =
    isEventplaneError(cause) || cause.name === "Error" ? cause.message : `${cause.name}: ${cause.message}`;
  return line === undefined || message.includes(file) ? message : `${message} (${line.trim().replace(/^at /, "")})`;
}

/** By shape, because the file may have got its `defineApp` from another copy of the package. */
function isAppDefinition(value: unknown): value is AppDefinition {
  const candidate = value as Partial<AppDefinition> | null | undefined; // only looked at
  const parts = [candidate?.aggregates, candidate?.controllers, candidate?.workers, candidate?.projections];
  return parts.every((part) => part instanceof Map);
}
