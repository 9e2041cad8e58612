/** Which pages of other origins may call the edge (CORS, WHATWG Fetch §3.2): none, unless the configuration names them. */
import cors from "@fastify/cors";
import type { FastifyInstance } from "fastify";
import { EventplaneError } from "../kernel/index.js";
import { isOrigin } from "./origin.js";

/** What a page may send beside what every page may. */
const allowedHeaders = [
  "authorization",
  "content-type",
  "last-event-id",
  "idempotency-key",
  "if-match",
  "traceparent",
] as const;
/** What a page may read beside what every page may. */
const exposedHeaders = [
  "etag",
  "location",
  "link",
  "retry-after",
  "x-request-id",
  "idempotent-replayed",
  "eventplane-filtered",
] as const;
const keptSeconds = 600;

/**
 * Answers preflights and marks answers for the pages of these origins. Without any nothing is marked, and browsers keep every page of
 * another origin away.
 *
 * Never with credentials: there are no cookies, and a token is shown by whoever has it.
 *
 * @throws EventplaneError `config_invalid` for what is no origin, `*` among it
 */
export async function allowOrigins(server: FastifyInstance, origins: readonly string[]): Promise<void> {
  const wrong = origins.find((origin) => !isOrigin(origin));
  if (wrong !== undefined) {
    const message = `"${wrong}" is no origin such as https://app.example.com. Name each one; there is none for all of them.`;
    throw new EventplaneError("config_invalid", message, { details: { name: "edge.allowed-origins" } });
  }
  if (origins.length === 0) return;
  await server.register(cors, {
    origin: [...origins],
    credentials: false,
    methods: ["GET", "HEAD", "POST", "PUT", "DELETE"],
    allowedHeaders: [...allowedHeaders],
    exposedHeaders: [...exposedHeaders],
    maxAge: keptSeconds,
    // An OPTIONS that is no preflight is answered like one, not with a text that is no problem.
    strictPreflight: false,
  });
}
