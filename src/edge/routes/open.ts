/** What anybody may ask: health, metrics, and the keys that proofs are checked with. */
import { EventplaneError } from "../../kernel/index.js";
import type { EdgeParts, Routes } from "./context.js";

const headTimeoutMs = 2_000;

/** Registers the routes. */
export function addOpenRoutes(routes: Routes, parts: EdgeParts): void {
  routes.open("/livez", async () => ({ status: "ok" }));
  routes.open("/readyz", async (_request, reply) => {
    const reasons = await reasonsNotReady(parts);
    return reply
      .code(reasons.length === 0 ? 200 : 503)
      .send({ status: reasons.length === 0 ? "ok" : "not ready", reasons, degraded: parts.degraded?.() ?? [] });
  });
  routes.open("/metrics", async (_request, reply) =>
    reply.type(parts.metrics.contentType).send(await parts.metrics.text()),
  );
  routes.open("/.well-known/eventplane-keys.json", async (_request, reply) => {
    const { rootKeyId, rootPublicKey } = parts.keys;
    // The root key is named for comparison only: a verifier must have it from somewhere else.
    return reply.header("cache-control", "max-age=60").send({ rootKeyId, rootPublicKey, keys: parts.keys.list() });
  });
}

/** Names of what keeps this edge from serving; empty when it is ready. */
async function reasonsNotReady(parts: EdgeParts): Promise<readonly string[]> {
  const reasons: string[] = [];
  if (!parts.platform.isFresh) {
    const { failure } = parts.platform;
    reasons.push(failure instanceof EventplaneError ? `platform_stale: ${failure.code}` : "platform_stale");
  }
  const asked = parts.notReady?.() ?? Promise.resolve([]);
  const late = new AbortController();
  const timeout = parts.clock.sleep(headTimeoutMs, late.signal).then(
    () => ["timeout"],
    () => [],
  );
  reasons.push(...(await Promise.race([asked.catch(() => ["check_failed"]), timeout])));
  late.abort();
  return reasons;
}
