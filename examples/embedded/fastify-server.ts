/** The same application on Fastify. */
import fastify, { type FastifyReply, type FastifyRequest } from "fastify";
import { plane } from "./plane.js";
import { type Answer, createTeam, prepare, readTeam } from "./teams.js";

const server = fastify({ bodyLimit: 65_536 });

function header({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function send(reply: FastifyReply, { status, body, retryAfterSeconds }: Answer): FastifyReply {
  if (retryAfterSeconds !== undefined) reply.header("retry-after", retryAfterSeconds);
  return reply.code(status).send(body);
}

server.post("/teams", async (request, reply) =>
  send(reply, await createTeam(header(request, "x-session"), header(request, "idempotency-key"), request.body)),
);
server.get<{ Params: { id: string } }>("/teams/:id", async (request, reply) =>
  send(reply, await readTeam(header(request, "x-session"), request.params.id)),
);
server.addHook("onClose", async () => (await plane).close());

await prepare();
console.log(`Listening on ${await server.listen({ host: "127.0.0.1", port: Number(process.env["PORT"] ?? 3000) })}`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void server.close());
