/** Which application a process runs. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { AppDefinition } from "../event/index.js";
import type { Config } from "./config.js";

/** The organizations example of this package, wherever it is installed. */
const exampleFile = fileURLToPath(new URL("../../examples/organizations/eventplane.config.ts", import.meta.url));

/** The configured file; for `dev` without one the file of the working folder, else the organizations example. */
export function appFileOf(config: Config, mode: "dev" | "start"): string {
  const file = config.required("app.config");
  return mode === "start" || config.isGiven("app.config") || existsSync(file) ? file : exampleFile;
}

/**
 * The application of the configuration, as `dev` would run it.
 *
 * @throws EventplaneError `config_invalid`
 */
export async function loadConfiguredApp(config: Config): Promise<AppDefinition> {
  const { loadApp } = await import("./load-app.js");
  return loadApp(appFileOf(config, "dev"));
}
