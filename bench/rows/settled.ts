/** Row "settled": what one intent costs until its resource is Ready: bytes and CPU. */

import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { createClient } from "../../dist/client/index.js";
import { costOfEach, readCost } from "../support/cost.js";
import { devTenant, startDevPlane, withDataDir } from "../support/dev-plane.js";
import type { Row } from "../support/row.js";

const warmUps = 200;
const intents = 1_000;
const atOnce = 8;

/** A plane with three controllers on the bench's server; eight publishers, each waiting for its answer. */
export const settled: Row = {
  name: "settled",
  group: "settled",
  question: "cost of one settled intent, 3 controllers",
  run: (server) =>
    withDataDir(async (dataDir) => {
      const store = await server.ours();
      const plane = await startDevPlane({
        dataDir,
        app: "plain.config.ts",
        environment: { DATABASE_URL: store.ownerUrl, EVENTPLANE_DATABASE__ROLE_PREFIX: store.rolePrefix },
      });
      const database = new pg.Client({ connectionString: store.superuserUrl });
      await database.connect();
      try {
        const { id, key } = await devTenant(plane, "bench");
        const client = createClient({ baseUrl: plane.url, apiKey: key, tenant: id });
        let next = 0;
        const settle = async (count: number): Promise<void> => {
          const last = next + count;
          const publisher = async (): Promise<void> => {
            while (next < last) {
              const aggregateId = `o-${next++}`;
              await client.publish({
                type: "organization.create",
                aggregateId,
                spec: { name: aggregateId, plan: "team" },
              });
            }
          };
          await Promise.all(Array.from({ length: atOnce }, publisher));
          await untilReady(database, last);
        };
        const pids = { planes: [plane.pid], server: server.cluster.pid };
        await settle(warmUps);
        const before = await readCost(database, pids);
        const started = performance.now();
        await settle(intents);
        const wallMs = performance.now() - started;
        const after = await readCost(database, pids);
        return {
          goals: [],
          details: {
            ...costOfEach(before, after, intents),
            "intents settled a second": (intents * 1000) / wallMs,
          },
        };
      } finally {
        await database.end();
        await plane.stop();
      }
    }),
};

async function untilReady(database: pg.Client, count: number): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const { rows } = await database.query<{ count: string }>(
      "select count(*) from eventplane.events where type = 'organization.ready'",
    );
    if (Number(rows[0]?.count) >= count) return;
    await sleep(100);
  }
  throw new Error(`not all of ${count} resources became ready in a minute`);
}
