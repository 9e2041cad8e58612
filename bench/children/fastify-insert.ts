/** The bare peer of the edge: a Fastify route with one INSERT a request, nothing else. */
import { randomUUID } from "node:crypto";
import fastify from "fastify";
import pg from "pg";
import { serveParent } from "../support/child.js";

interface Body {
  readonly type: string;
  readonly aggregateId: string;
  readonly spec: object;
}

const app = fastify();
let pool: pg.Pool | undefined;

serveParent<{ databaseUrl: string; tenantId: string }>(
  async ({ databaseUrl, tenantId }) => {
    const connections = new pg.Pool({ connectionString: databaseUrl, max: 8 });
    pool = connections;
    app.post<{ Body: Body }>("/intents", async (request, reply) => {
      const { type, aggregateId, spec } = request.body;
      const id = randomUUID();
      const { rows } = await connections.query<{ position: string }>({
        name: "insert_bare",
        text: "insert into bare (tenant_id, id, stream, type, spec) values ($1, $2, $3, $4, $5) returning position",
        values: [tenantId, id, aggregateId, type, JSON.stringify(spec)],
      });
      return reply.code(201).send({ id, position: Number(rows[0]?.position) });
    });
    return { url: `${await app.listen({ host: "127.0.0.1", port: 0 })}/intents` };
  },
  async () => {
    await app.close();
    await pool?.end();
  },
);
