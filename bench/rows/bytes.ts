/** Row "bytes": what an event takes on disk, indexes and proof included. */
import pg from "pg";
import { newTenantId } from "../../dist/testing/index.js";
import { Publisher } from "../support/payload.js";
import type { Row } from "../support/row.js";
import type { OurStore } from "../support/server.js";

const eventsMax = 30_000;

/** Published by 64 callers at once, so most proofs carry a path of six hashes; and one by one, where they carry none. */
export const bytes: Row = {
  name: "bytes",
  group: "bytes",
  question: "bytes on disk of an event with a spec of 400 bytes",
  async run(server) {
    const crowd = await sizes(await server.ours(), 64);
    const lone = await sizes(await server.ours(), 1);
    return {
      goals: [
        { what: "bytes with indexes and proof, 1 caller", value: lone["total"], atMost: 1_400, aim: 1_000 },
        { what: "bytes with indexes and proof, 64 callers", value: crowd["total"], atMost: 1_400, aim: 1_000 },
      ],
      details: { ...prefixed("64 callers, ", crowd), ...prefixed("1 caller, ", lone) },
    };
  },
};

function prefixed(prefix: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));
}

async function sizes(store: OurStore, callers: number): Promise<Record<string, number>> {
  const tenantId = newTenantId();
  const perCaller = Math.ceil((callers === 1 ? eventsMax / 6 : eventsMax) / callers);
  await Promise.all(
    Array.from({ length: callers }, async () => {
      const publisher = new Publisher(tenantId);
      for (let done = 0; done < perCaller; done++) await store.edge.append({ tenantId, items: [publisher.next()] });
    }),
  );
  const client = new pg.Client({ connectionString: store.superuserUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ what: string; bytes: string }>(breakDown);
    return Object.fromEntries(rows.map(({ what, bytes: value }) => [what, Number(value) / (perCaller * callers)]));
  } finally {
    await client.end();
  }
}

const breakDown = `
select 'total' as what, pg_total_relation_size('eventplane.events') as bytes
union all select 'heap', pg_relation_size('eventplane.events')
union all select 'toast', pg_total_relation_size(reltoastrelid) from pg_class where oid = 'eventplane.events'::regclass
union all select 'index ' || indexrelid::regclass, pg_relation_size(indexrelid) from pg_index where indrelid = 'eventplane.events'::regclass
union all select 'of the heap: ' || column_name, bytes from (
  select 'spec' as column_name, sum(pg_column_size(spec)) as bytes from eventplane.events
  union all select 'caused_by', sum(pg_column_size(caused_by)) from eventplane.events
  union all select 'proof', sum(pg_column_size(proof)) from eventplane.events
  union all select 'hashes', sum(pg_column_size(hash)) from eventplane.events
) columns`;
