/** Row "memory": `dev` with a million events in the log and a hundred SSE clients; its start beside an empty log's. */
import { setTimeout as sleep } from "node:timers/promises";
import { createEd25519Signer } from "../../dist/event/index.js";
import type { TenantId } from "../../dist/kernel/index.js";
import { systemClock } from "../../dist/kernel/index.js";
import { databasePasswords, keyFile } from "../../dist/plane/key-files.js";
import { Coalescer } from "../../dist/store/index.js";
import { openEmbeddedPostgres } from "../../dist/store/postgres/embedded/index.js";
import { createPool, loginRoles, PostgresAppender } from "../../dist/store/postgres/index.js";
import { draftSystemFact } from "../../dist/testing/index.js";
import type { ClientsOrder } from "../children/sse-clients.js";
import { startChild } from "../support/child.js";
import { type DevPlane, devTenant, startDevPlane, withDataDir } from "../support/dev-plane.js";
import { median } from "../support/interleave.js";
import { specOf } from "../support/payload.js";
import { residentMb } from "../support/process-usage.js";
import type { Row, RowResult } from "../support/row.js";

const events = 1_000_000;
const perAppend = 250;
const clients = 100;
const starts = 3;
const app = "plain.config.ts";

/** The log is filled with facts by the batch append while the plane is down; then everything catches up, then it is measured. */
export const memory: Row = {
  name: "memory",
  group: "memory",
  question: "dev with 1,000,000 events in the log and 100 SSE clients",
  onlyWhenAsked: true,
  run: () =>
    withDataDir(async (dataDir) => {
      const first = await startDevPlane({ dataDir, app });
      const tenant = await devTenant(first, "bench");
      await first.stop();
      const empty = await startTimes(dataDir);
      await fill(dataDir, tenant.id as TenantId); // an id that the edge gave
      const full = await startTimes(dataDir);
      const plane = await startDevPlane({ dataDir, app });
      try {
        return await watch(plane, tenant, { empty, full });
      } finally {
        await plane.stop();
      }
    }),
};

async function watch(
  plane: DevPlane,
  { id, key }: { readonly id: string; readonly key: string },
  { empty, full }: { readonly empty: number; readonly full: number },
): Promise<RowResult> {
  const child = await startChild("sse-clients");
  try {
    const url = `${plane.url}/v1/tenants/${id}/subscribe`;
    await child.ask({ subscribe: { url, key, clients } } satisfies ClientsOrder);
    let highest = 0;
    for (let second = 0; second < 30; second++) {
      highest = Math.max(highest, residentMb(plane.pid));
      await sleep(1_000);
    }
    return {
      goals: [
        { what: "MB of the dev process, highest of 30 s", value: highest, atMost: 250 },
        { what: "× start with an empty log", value: full / empty, atMost: 1.5 },
      ],
      details: {
        "MB after 30 s": residentMb(plane.pid),
        "start with an empty log, ms": empty,
        "start with a million events, ms": full,
      },
    };
  } finally {
    await child.stop();
  }
}

async function startTimes(dataDir: string): Promise<number> {
  const times: number[] = [];
  for (let start = 0; start < starts; start++) {
    const plane = await startDevPlane({ dataDir, app });
    times.push(plane.startMs);
    await plane.stop();
  }
  return median(times);
}

async function fill(dataDir: string, tenantId: TenantId): Promise<void> {
  const database = await openEmbeddedPostgres({ dataDir });
  const url = new URL(database.ownerUrl);
  url.username = "eventplane_edge";
  url.password = databasePasswords(dataDir, loginRoles).edge ?? "";
  const pool = createPool(url.href);
  const signer = createEd25519Signer({ privateKey: keyFile(dataDir, "edge").pem, tier: "edge" });
  const log = new Coalescer({ appender: new PostgresAppender(pool, "edge"), signer, clock: systemClock });
  try {
    let done = 0;
    const append = async (): Promise<void> => {
      while (done < events) {
        const from = done;
        done += perAppend;
        const items = Array.from({ length: perAppend }, (_, index) => ({
          event: draftSystemFact({ tenantId, specText: specOf(from + index).text }),
          effect: "system" as const,
          expectedVersion: "any" as const,
        }));
        await log.append({ tenantId, items });
      }
    };
    await Promise.all([append(), append(), append()]);
  } finally {
    await log.close();
    await pool.end();
    await database.close();
  }
}
