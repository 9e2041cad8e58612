/**
 * The page that shows the API to people: Swagger UI from the package itself, so it works where there is no internet. Its files are
 * read when somebody asks, and kept nowhere.
 */
import { type FileHandle, open } from "node:fs/promises";
import type { FastifyReply } from "fastify";
import { EventplaneError } from "../../kernel/index.js";
import type { EdgeParts, Routes } from "./context.js";

/** Of the package, wherever this file runs from; scripts/build.mjs puts the renderer there. */
const folder = new URL("../../../dist/edge/reference-page/", import.meta.url);
const mediaTypes = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
} as const;
/** What may be asked for; there is no other way into the folder. */
const files: Readonly<Record<string, string>> = {
  "start.js": mediaTypes.js,
  "swagger-ui-bundle.js": mediaTypes.js,
  "swagger-ui.css": mediaTypes.css,
};
/** The page may load its own files and ask its own edge, and nothing else; the renderer writes styles into elements. */
const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const maxAgeSeconds = 3_600;

/** Registers the routes. */
export function addReferencePageRoutes(routes: Routes, parts: EdgeParts): void {
  routes.open("/docs", async (_request, reply) => {
    assertServesReference(parts);
    return sendFile(reply, "index.html", mediaTypes.html);
  });
  routes.open("/docs/:file", async (request, reply) => {
    assertServesReference(parts);
    const { file } = request.params as { readonly file: string }; // of the route's address
    const mediaType = Object.hasOwn(files, file) ? files[file] : undefined;
    if (mediaType === undefined) throw new EventplaneError("not_found", "The reference has no such file.");
    return sendFile(reply, file, mediaType);
  });
}

/** @throws EventplaneError `not_found` where the configuration does not open the reference */
export function assertServesReference({ reference = "off" }: Pick<EdgeParts, "reference">): void {
  if (reference === "open") return;
  const message =
    "This edge does not serve its reference: set edge.reference to open, or print it with evtctl openapi.";
  throw new EventplaneError("not_found", message);
}

async function sendFile(reply: FastifyReply, name: string, mediaType: string): Promise<FastifyReply> {
  const file = await opened(name);
  return reply
    .type(mediaType)
    .header("content-security-policy", contentSecurityPolicy)
    .header("cache-control", `max-age=${maxAgeSeconds}`)
    .send(file.createReadStream());
}

async function opened(name: string): Promise<FileHandle> {
  try {
    return await open(new URL(name, folder));
  } catch (cause) {
    const message =
      "The files of the reference page are not there: build the package (npm run build), or install it anew.";
    throw new EventplaneError("not_found", message, { cause });
  }
}
