/** The headers that keep browsers from doing anything with an answer but reading it. */
import helmet from "@fastify/helmet";
import Fastify from "fastify";

const directives = { defaultSrc: ["'none'"], frameAncestors: ["'none'"] };

/**
 * What helmet sets, asked once: it would build the same headers anew for every request, at the cost of a fifteenth of it.
 */
export async function securityHeaders(): Promise<Readonly<Record<string, string>>> {
  const probe = Fastify();
  await probe.register(helmet, { contentSecurityPolicy: { useDefaults: false, directives } });
  const headers: Record<string, string> = {};
  probe.get("/", async (_request, reply) => {
    for (const [name, value] of Object.entries(reply.raw.getHeaders())) headers[name] = String(value);
    return "";
  });
  await probe.inject("/");
  await probe.close();
  return headers;
}
