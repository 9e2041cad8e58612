/** Which application a process runs. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Config } from "./config.js";

/** The organizations example of this package, wherever it is installed. */
const exampleFile = fileURLToPath(new URL("../../examples/organizations/eventplane.config.ts", import.meta.url));

/** The configured file; for `dev` without one the file of the working folder, else the organizations example. */
export function appFileOf(config: Config, mode: "dev" | "start"): string {
  const file = config.required("app.config");
  return mode === "start" || config.isGiven("app.config") || existsSync(file) ? file : exampleFile;
}
