/** Row "sse": 500 subscribers, a thousand events a second. */
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "../../dist/client/index.js";
import type { EdgeAnswer, EdgeOrder } from "../children/edge.js";
import type { ClientsOrder, ClientsReport } from "../children/sse-clients.js";
import { startChild } from "../support/child.js";
import { cpuMs, residentMb } from "../support/process-usage.js";
import type { Row } from "../support/row.js";

const tenants = 50;
const clientsPerTenant = 10;
const perSecond = 1_000;
const seconds = 10;
/** What was appended last has arrived by then. */
const settleMs = 1_000;

/** 1,000 events a second over 50 tenants, each followed by ten clients: 10,000 deliveries a second. */
export const sse: Row = {
  name: "sse",
  group: "sse",
  question: "SSE: 500 clients of 50 tenants, 1,000 events/s appended, 10,000/s delivered",
  async run(server) {
    const edge = await startChild("edge");
    const clients = await startChild("sse-clients");
    try {
      const store = await server.ours();
      const open: EdgeOrder = { open: { databaseUrl: store.urlOf("edge") } };
      const { url, adminKey } = await edge.ask<EdgeAnswer>(open);
      const admin = createClient({ baseUrl: url, apiKey: adminKey }).admin;
      const memoryAlone = residentMb(edge.pid);
      const tenantIds: string[] = [];
      for (let number = 0; number < tenants; number++) {
        const { id } = await admin.createTenant({ slug: `bench-${number}` });
        const { key } = await admin.createKey(id, { name: "bench", grants: ["subscriber"] });
        const subscribe: ClientsOrder = {
          subscribe: { url: `${url}/v1/tenants/${id}/subscribe`, key, clients: clientsPerTenant },
        };
        await clients.ask(subscribe);
        tenantIds.push(id);
      }
      const order = (duration: number): EdgeOrder => ({ publish: { tenantIds, perSecond, seconds: duration } });
      await edge.ask(order(3));
      await sleep(settleMs);
      await clients.ask({ reset: true } satisfies ClientsOrder);
      const before = cpuMs(edge.pid);
      const started = performance.now();
      await edge.ask(order(seconds));
      const wallMs = performance.now() - started;
      const cores = (cpuMs(edge.pid) - before) / wallMs;
      const memory = residentMb(edge.pid);
      await sleep(settleMs);
      const report = await clients.ask<ClientsReport>({ report: true } satisfies ClientsOrder);
      const expected = perSecond * seconds * clientsPerTenant;
      if (report.events !== expected) throw new Error(`${report.events} of ${expected} events came`);
      return {
        goals: [
          { what: "ms p99 from recorded to received", value: report.p99, atMost: 30 },
          { what: "cores of the edge, appending included", value: cores, atMost: 1 },
          { what: "MB of the edge", value: memory, atMost: 150 },
        ],
        details: {
          "p50, ms": report.p50,
          "slowest, ms": report.max,
          "MB before the clients came": memoryAlone,
          "events/s appended": (perSecond * seconds * 1000) / wallMs,
        },
      };
    } finally {
      await Promise.all([edge.stop(), clients.stop()]);
    }
  },
};
