/** The peers that live in this folder's own package, behind one small face each; see peers.d.mts. */

import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { dumbo } from "@event-driven-io/dumbo";
import { getPostgreSQLEventStore, readMessagesBatch } from "@event-driven-io/emmett-postgresql";
import pg from "pg";
import { from as copyFrom } from "pg-copy-streams";

/** @type {typeof import("./peers.d.mts").openEmmett} */
export async function openEmmett(connectionString) {
  // As its own default pool, but its connections may end after the pool's end without ending the process.
  const connections = new pg.Pool({ connectionString });
  connections.on("error", () => {});
  const store = getPostgreSQLEventStore(connectionString, { connectionOptions: { pool: connections } });
  await store.schema.migrate();
  const pool = dumbo({ connectionString, pool: connections });
  return {
    append: async (stream, type, specs) => {
      await store.appendToStream(
        stream,
        specs.map((data) => ({ type, data })),
      );
    },
    readAll: async (pageSize, eventsMax, visit) => {
      let after = 0n;
      for (let seen = 0; seen < eventsMax; ) {
        const batch = await readMessagesBatch(pool.execute, { after, batchSize: pageSize });
        for (const message of batch.messages) visit(message);
        seen += batch.messages.length;
        after = batch.currentGlobalPosition;
        if (!batch.areMessagesLeft) return seen;
      }
      return eventsMax;
    },
    readStream: async (stream, pageSize, visit) => {
      for (let from = 0n; ; from += BigInt(pageSize)) {
        const { events } = await store.readStream(stream, { from, maxCount: BigInt(pageSize) });
        for (const event of events) visit(event);
        if (events.length < pageSize) return Number(from) + events.length;
      }
    },
    close: () => connections.end(),
  };
}

/** @type {typeof import("./peers.d.mts").copyInto} */
export async function copyInto(client, statement, lines) {
  await pipeline(Readable.from([lines]), client.query(copyFrom(statement)));
}
