/** Row "ready": how long after an intent was accepted an SSE subscriber sees the resource Ready; the plane is idle. */
import { setTimeout as sleep } from "node:timers/promises";
import { createClient, type EventplaneClient } from "../../dist/client/index.js";
import { devTenant, startDevPlane, withDataDir } from "../support/dev-plane.js";
import { percentile } from "../support/interleave.js";
import type { Row } from "../support/row.js";

const warmUps = 20;
const intents = 200;
const pauseMs = 30;

/** `evtctl dev` on its embedded PostgreSQL, three controllers that decide at once, one intent at a time. */
export const ready: Row = {
  name: "ready",
  group: "ready",
  question: "intent accepted → Ready at an SSE subscriber, idle, embedded, 3 controllers",
  run: () =>
    withDataDir(async (dataDir) => {
      const plane = await startDevPlane({ dataDir, app: "plain.config.ts" });
      try {
        const { id, key } = await devTenant(plane, "bench");
        const client = createClient({ baseUrl: plane.url, apiKey: key, tenant: id });
        const { fromAccepted, fromSent } = await measure(client);
        return {
          goals: [
            { what: "ms p50", value: percentile(fromAccepted, 50), atMost: 20 },
            { what: "ms p99", value: percentile(fromAccepted, 99), atMost: 80 },
          ],
          details: {
            "from the request sent, p50 ms": percentile(fromSent, 50),
            "from the request sent, p99 ms": percentile(fromSent, 99),
          },
        };
      } finally {
        await plane.stop();
      }
    }),
};

async function measure(client: EventplaneClient): Promise<{ fromAccepted: number[]; fromSent: number[] }> {
  const stop = new AbortController();
  const seen = new Map<string, number>();
  const follow = (async () => {
    for await (const item of client.subscribe({ after: 0, kind: "fact" }, { signal: stop.signal })) {
      if (item.type === "event" && item.event.type === "organization.ready")
        seen.set(item.event.aggregateId, performance.now());
    }
  })();
  const fromAccepted: number[] = [];
  const fromSent: number[] = [];
  for (let number = 0; number < warmUps + intents; number++) {
    const aggregateId = `o-${number}`;
    const sent = performance.now();
    await client.publish({ type: "organization.create", aggregateId, spec: { name: aggregateId, plan: "team" } });
    const accepted = performance.now();
    while (!seen.has(aggregateId)) {
      if (performance.now() - accepted > 10_000) throw new Error(`${aggregateId} did not become ready`);
      await sleep(1);
    }
    if (number < warmUps) continue;
    const at = seen.get(aggregateId) ?? Number.NaN;
    // Ready may be seen before the answer to the request is.
    fromAccepted.push(Math.max(0, at - accepted));
    fromSent.push(at - sent);
    await sleep(pauseMs);
  }
  stop.abort();
  await follow;
  return { fromAccepted, fromSent };
}
