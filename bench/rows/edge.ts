/** Row "edge": the full path of an intent over HTTP, 64 connections, beside a bare Fastify route with one INSERT. */
import { randomUUID } from "node:crypto";
import { createClient } from "../../dist/client/index.js";
import type { EdgeAnswer, EdgeOrder } from "../children/edge.js";
import type { LoadOrder } from "../children/http-load.js";
import { startChild } from "../support/child.js";
import { interleave, percentile } from "../support/interleave.js";
import { cpuMs } from "../support/process-usage.js";
import type { Row } from "../support/row.js";

const connections = 64;
const perConnection = 12;

/** Servers and load generator are processes of their own. */
export const edge: Row = {
  name: "edge",
  group: "edge",
  question: "HTTP, API key, schema, stamp, sign, append; 64 connections",
  async run(server) {
    const ours = await startChild("edge");
    const bare = await startChild("fastify-insert");
    const load = await startChild("http-load");
    try {
      const store = await server.ours();
      const order: EdgeOrder = { open: { databaseUrl: store.urlOf("edge") } };
      const { url, adminKey } = await ours.ask<EdgeAnswer>(order);
      const admin = createClient({ baseUrl: url, apiKey: adminKey }).admin;
      const tenant = await admin.createTenant({ slug: "bench" });
      const { key } = await admin.createKey(tenant.id, { name: "bench", grants: ["publisher"] });
      const table = await server.bare();
      const peer = await bare.ask<{ url: string }>({ databaseUrl: table.url, tenantId: randomUUID() });
      const latencies: number[] = [];
      const send = async (target: string, headers: LoadOrder["headers"]): Promise<readonly number[]> => {
        const ordered: LoadOrder = { url: target, headers, connections, perConnection };
        return (await load.ask<{ latencies: number[] }>(ordered)).latencies;
      };
      const target = `${url}/v1/tenants/bench/intents`;
      const headers = { authorization: `Bearer ${key}` };
      const cpu = { ours: cpuMs(ours.pid), bare: cpuMs(bare.pid) };
      const rounds = 21;
      const comparison = await interleave(
        [
          {
            name: "eventplane",
            round: async () => {
              latencies.push(...(await send(target, headers)));
              return connections * perConnection;
            },
          },
          { name: "fastify + insert", round: async () => (await send(peer.url, {})).length },
        ],
        rounds,
      );
      const requests = (rounds + 1) * connections * perConnection;
      return {
        comparison,
        goals: [{ what: "× Fastify + INSERT", value: comparison.ratios["fastify + insert"], atLeast: 1 }],
        details: {
          "p50 of a request, ms": percentile(latencies, 50),
          "p99 of a request, ms": percentile(latencies, 99),
          "CPU of the edge a request, µs": ((cpuMs(ours.pid) - cpu.ours) * 1000) / requests,
          "CPU of Fastify a request, µs": ((cpuMs(bare.pid) - cpu.bare) * 1000) / requests,
        },
      };
    } finally {
      await Promise.all([ours.stop(), bare.stop(), load.stop()]);
    }
  },
};
