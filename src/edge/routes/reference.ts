/** What the API is: its documents, for who builds against it. Served where the configuration says so. */
import type { FastifyReply } from "fastify";
import { EventplaneError } from "../../kernel/index.js";
import { asyncApiDocument } from "../openapi/asyncapi.js";
import { openApiDocument } from "../openapi/document.js";
import type { EdgeParts, Routes } from "./context.js";

const maxAgeSeconds = 60;

/** Registers the routes. */
export function addReferenceRoutes(routes: Routes, parts: EdgeParts): void {
  const openApi = documentOf(() => openApiDocument(parts.app));
  const asyncApi = documentOf(() => asyncApiDocument(parts.app));
  routes.open("/openapi.json", async (_request, reply) => serve(parts, reply, openApi));
  routes.open("/asyncapi.json", async (_request, reply) => serve(parts, reply, asyncApi));
}

async function serve({ reference = "off" }: EdgeParts, reply: FastifyReply, text: () => string): Promise<unknown> {
  if (reference === "off") throw notServed();
  return reply.type("application/json; charset=utf-8").header("cache-control", `max-age=${maxAgeSeconds}`).send(text());
}

/** Made when somebody asks first; it stays the same for as long as the app does. */
function documentOf(make: () => unknown): () => string {
  let text: string | undefined;
  return () => (text ??= JSON.stringify(make()));
}

function notServed(): EventplaneError {
  const message =
    "This edge does not serve its reference: set edge.reference to open, or print it with evtctl openapi.";
  return new EventplaneError("not_found", message);
}
