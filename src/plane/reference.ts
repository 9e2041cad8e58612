/** What a configuration's plane would serve as its reference, without running it. */
import type { JsonObject } from "../kernel/index.js";
import { loadConfiguredApp } from "./app-file.js";
import type { Config } from "./config.js";

/** The documents of a plane. */
export type ReferenceName = "openapi" | "asyncapi";

/** The document of the configured application. @throws EventplaneError `config_invalid` */
export async function referenceDocument(name: ReferenceName, config: Config): Promise<JsonObject> {
  const { asyncApiDocument, openApiDocument } = await import("../edge/index.js");
  const app = await loadConfiguredApp(config);
  return name === "openapi" ? openApiDocument(app) : asyncApiDocument(app);
}
