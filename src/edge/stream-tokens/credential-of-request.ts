/** The credential that a request shows: in a header, or, where a page cannot send one, in the address. */
import type { FastifyRequest } from "fastify";
import { EventplaneError } from "../../kernel/index.js";

/** The parameter that holds a stream token, as RFC 6750 names it: whoever cleans addresses out of logs knows the name. */
const parameter = "access_token";

/**
 * What would stand in the Authorization header. A token in the address is taken out of the query, so that nothing that comes after
 * sees it.
 *
 * @throws EventplaneError `request_invalid` for an address with anything but one stream token, or with a header besides
 */
export function credentialOfRequest(request: FastifyRequest, takesToken: boolean): string | undefined {
  const { authorization } = request.headers;
  const query = request.query as Record<string, unknown>; // Fastify's parser gives an object of its own
  if (!takesToken || query[parameter] === undefined) return authorization;
  const token = query[parameter];
  delete query[parameter];
  if (authorization === undefined && typeof token === "string" && token.startsWith("eps_")) return `Bearer ${token}`;
  throw new EventplaneError(
    "request_invalid",
    "The parameter access_token takes one stream token, and no Authorization header beside it. An API key does not belong into an address: if this was one, revoke it.",
    { details: { parameter } },
  );
}
