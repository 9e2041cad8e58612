/** Loads the application's file, TypeScript or JavaScript, without a build step of its own. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createJiti } from "jiti";
import { type AppDefinition, isAppDefinition } from "../event/index.js";
import { EventplaneError, isEventplaneError } from "../kernel/index.js";

/**
 * Evaluates the file afresh and gives its default export.
 *
 * @throws EventplaneError `config_invalid` when the file is missing, fails to load, or exports no app; the message names
 * the file, and the line where the language gives one
 */
export async function loadApp(path: string): Promise<AppDefinition> {
  const file = resolve(path);
  if (!existsSync(file)) {
    throw new EventplaneError("config_invalid", `There is no ${file}: pass --config FILE, or leave it out to run the organizations example.`, {
      details: { file },
    });
  }
  const jiti = createJiti(pathToFileURL(file).href, { fsCache: false, moduleCache: false, interopDefault: true });
  let app: unknown;
  try {
    app = await jiti.import(file, { default: true });
  } catch (cause) {
    if (isEventplaneError(cause)) throw cause;
    throw new EventplaneError("config_invalid", `${file} cannot be loaded: ${describe(cause, file)}`, { details: { file }, cause });
  }
  if (!isAppDefinition(app)) {
    throw new EventplaneError("config_invalid", `${file} must export defineApp({ aggregates, controllers }) as its default.`, { details: { file } });
  }
  return app;
}

/** The message and the first stack line inside the file; the author of the file is the reader. */
function describe(cause: unknown, file: string): string {
  if (!(cause instanceof Error)) return String(cause);
  const line = cause.stack?.split("\n").find((frame) => frame.includes(file) && /:\d+/.test(frame));
  return line === undefined ? cause.message : `${cause.message} (${line.trim().replace(/^at /, "")})`;
}
