/** Row "scale": a thousand resources to Ready with three controllers and one worker, on 1, 2 and 4 processes. */
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { createClient, type EventplaneClient } from "../../dist/client/index.js";
import { isEventplaneError } from "../../dist/kernel/index.js";
import { createDatabase } from "../../test/support/postgres-database.js";
import { costOfEach, readCost } from "../support/cost.js";
import { type DevPlane, devTenant, migratePlane, startDevPlane, withDataDir } from "../support/dev-plane.js";
import { median } from "../support/interleave.js";
import type { Row } from "../support/row.js";
import type { BenchServer } from "../support/server.js";

const resources = 1_000;
/** For each process, so that what is measured is work and not its compilation. */
const warmUpsEach = 500;
const publishers = 16;
const processCounts = [1, 2, 4] as const;
/** Each number of processes is measured so often, in turns, each time in a fresh database. */
const turns = 3;

interface Turn {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cost: Readonly<Record<string, number>>;
}

/** `evtctl start` as often as said on one PostgreSQL; publishers take the processes in turns. */
export const scale: Row = {
  name: "scale",
  group: "scale",
  question: "1,000 resources to Ready, 3 controllers and 1 worker, on 1, 2 and 4 processes of one PostgreSQL",
  onlyWhenAsked: true,
  async run(server) {
    const measured = new Map<number, Turn[]>(processCounts.map((count) => [count, []]));
    for (let turn = 0; turn < turns; turn++) {
      for (const count of processCounts) measured.get(count)?.push(await measure(server, count));
    }
    const details: Record<string, number> = {};
    for (const [count, found] of measured) {
      const named = (what: string): string => `${count} process${count === 1 ? "" : "es"}, ${what}`;
      details[named("resources a second")] = median(found.map(({ perSecond }) => perSecond));
      details[named("p50 ms")] = median(found.map(({ p50Ms }) => p50Ms));
      details[named("p99 ms")] = median(found.map(({ p99Ms }) => p99Ms));
      for (const what of Object.keys(found[0]?.cost ?? {})) {
        details[named(what)] = median(found.map(({ cost }) => cost[what] ?? Number.NaN));
      }
    }
    return { goals: [], details };
  },
};

async function measure(server: BenchServer, processes: number): Promise<Turn> {
  return await withDataDir(async (dataDir) => {
    const made = await createDatabase(server.cluster.superuserUrl);
    const environment = { DATABASE_URL: made.ownerUrl, EVENTPLANE_DATABASE__ROLE_PREFIX: made.rolePrefix };
    await migratePlane(dataDir, environment);
    const planes: DevPlane[] = [];
    const database = new pg.Client({ connectionString: made.superuserUrl });
    await database.connect();
    try {
      for (let index = 0; index < processes; index++) {
        planes.push(await startDevPlane({ command: "start", dataDir, app: "worker.config.ts", environment }));
      }
      return await publishAndWait(database, { planes, server });
    } finally {
      await database.end();
      await Promise.all(planes.map((plane) => plane.stop()));
      await made.drop();
    }
  });
}

async function publishAndWait(
  database: pg.Client,
  { planes, server }: { readonly planes: readonly DevPlane[]; readonly server: BenchServer },
): Promise<Turn> {
  const [first] = planes;
  if (first === undefined) throw new Error("there is no process");
  const { id, key } = await devTenant(first, "bench");
  const clients = planes.map(({ url }) => createClient({ baseUrl: url, apiKey: key, tenant: id }));
  await Promise.all(clients.map(untilKnown));
  const settle = async (from: number, to: number): Promise<void> => {
    let next = from;
    const publisher = async (): Promise<void> => {
      while (next < to) {
        const number = next++;
        const aggregateId = `o-${number}`;
        await clients[number % clients.length]?.publish({
          type: "organization.create",
          aggregateId,
          spec: { name: aggregateId, plan: "team" },
        });
      }
    };
    await Promise.all(Array.from({ length: publishers }, publisher));
    await untilReady(database, to);
  };
  const warmUps = warmUpsEach * planes.length;
  await settle(0, warmUps);
  const pids = { planes: planes.map(({ pid }) => pid), server: server.cluster.pid };
  const before = await readCost(database, pids);
  await settle(warmUps, warmUps + resources);
  const after = await readCost(database, pids);
  return { ...(await times(database, warmUps)), cost: costOfEach(before, after, resources) };
}

/** An edge hears of a key that another one made within a second. */
async function untilKnown(client: EventplaneClient): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      await client.readPage({ limit: 1 });
      return;
    } catch (error) {
      if (!isEventplaneError(error, "unauthenticated")) throw error;
      await sleep(50);
    }
  }
  throw new Error("an edge did not hear of the key");
}

async function untilReady(database: pg.Client, count: number): Promise<void> {
  for (let tries = 0; tries < 1_200; tries++) {
    const { rows } = await database.query<{ count: string }>(
      "select count(*) from eventplane.events where type = 'organization.ready'",
    );
    if (Number(rows[0]?.count) >= count) return;
    await sleep(100);
  }
  throw new Error(`not all of ${count} resources became ready in two minutes`);
}

/** From the times in the log: of each resource, and of all from the first intent to the last Ready. */
async function times(database: pg.Client, warmUps: number): Promise<Pick<Turn, "perSecond" | "p50Ms" | "p99Ms">> {
  const { rows } = await database.query<{ seconds: number; p50: number; p99: number }>(readyTimes, [warmUps]);
  const [row] = rows;
  if (row === undefined) throw new Error("the database gave no times");
  return { perSecond: resources / row.seconds, p50Ms: row.p50, p99Ms: row.p99 };
}

const readyTimes = `
select extract(epoch from max(ready.recorded_at) - min(intent.recorded_at))::float8 as seconds,
       1000 * percentile_disc(0.5) within group (order by extract(epoch from ready.recorded_at - intent.recorded_at))::float8 as p50,
       1000 * percentile_disc(0.99) within group (order by extract(epoch from ready.recorded_at - intent.recorded_at))::float8 as p99
from eventplane.events intent
join eventplane.events ready
  on ready.tenant_id = intent.tenant_id and ready.aggregate_id = intent.aggregate_id and ready.type = 'organization.ready'
where intent.type = 'organization.create' and substr(intent.aggregate_id, 3)::integer >= $1`;
