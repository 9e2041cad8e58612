/** What the API is: its documents, for who builds against it. Served where the configuration says so. */
import type { FastifyReply } from "fastify";
import { asyncApiDocument } from "../openapi/asyncapi.js";
import { openApiDocument } from "../openapi/document.js";
import type { EdgeParts, Routes } from "./context.js";
import { addReferencePageRoutes, assertServesReference } from "./reference-page.js";

const maxAgeSeconds = 60;

/** Registers the routes. */
export function addReferenceRoutes(routes: Routes, parts: EdgeParts): void {
  const openApi = documentOf(() => openApiDocument(parts.app));
  const asyncApi = documentOf(() => asyncApiDocument(parts.app));
  routes.open("/openapi.json", async (_request, reply) => serve(parts, reply, openApi));
  routes.open("/asyncapi.json", async (_request, reply) => serve(parts, reply, asyncApi));
  addReferencePageRoutes(routes, parts);
}

async function serve(parts: EdgeParts, reply: FastifyReply, text: () => string): Promise<unknown> {
  assertServesReference(parts);
  return reply.type("application/json; charset=utf-8").header("cache-control", `max-age=${maxAgeSeconds}`).send(text());
}

/** Made when somebody asks first; it stays the same for as long as the app does. */
function documentOf(make: () => unknown): () => string {
  let text: string | undefined;
  return () => (text ??= JSON.stringify(make()));
}
