/** Runs the chosen rows, prints them, and records them when asked. */
import { appendAlone, appendBatches, appendCrowd } from "./rows/append.js";
import { busAsync } from "./rows/bus-async.js";
import { busLog } from "./rows/bus-log.js";
import { busMatch } from "./rows/bus-match.js";
import { busMillion } from "./rows/bus-million.js";
import { busPublish } from "./rows/bus-publish.js";
import { busThread } from "./rows/bus-thread.js";
import { bytes } from "./rows/bytes.js";
import { edge } from "./rows/edge.js";
import { memory } from "./rows/memory.js";
import { read } from "./rows/read.js";
import { ready } from "./rows/ready.js";
import { rebuild } from "./rows/rebuild.js";
import { scale } from "./rows/scale.js";
import { settled } from "./rows/settled.js";
import { sse } from "./rows/sse.js";
import { environment } from "./support/environment.js";
import { printRow } from "./support/print-row.js";
import { type Recorded, record } from "./support/record.js";
import type { Row, RowResult } from "./support/row.js";
import { openBenchServer } from "./support/server.js";

const rows: readonly Row[] = [
  appendAlone,
  appendCrowd,
  appendBatches,
  read,
  rebuild,
  bytes,
  edge,
  sse,
  ready,
  settled,
  scale,
  memory,
  ...busPublish,
  ...busMatch,
  ...busAsync,
  busThread,
  busMillion,
  busLog,
];

/** Runs rows by name or group, all usual ones without names, one after the other, each on a fresh server. */
export async function runRows(names: readonly string[], options: { readonly record: boolean }): Promise<void> {
  const chosen = rows.filter(({ name, group, onlyWhenAsked }) =>
    names.length === 0 ? onlyWhenAsked !== true : names.includes(name) || names.includes(group),
  );
  if (chosen.length === 0) {
    process.stderr.write(`There is no such row. Rows: ${rows.map(({ name }) => name).join(", ")}.\n`);
    process.exitCode = 2;
    return;
  }
  const recorded: Recorded[] = [];
  for (const row of chosen) {
    try {
      const before = environment();
      const result = await resultOf(row);
      const one = { name: row.name, question: row.question, environment: before, result };
      printRow(one);
      recorded.push(one);
    } catch (error) {
      process.stderr.write(`${row.name} failed: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exitCode = 1;
    }
  }
  if (options.record)
    record(
      recorded,
      rows.map(({ name }) => name),
    );
}

async function resultOf(row: Row): Promise<RowResult> {
  if (row.needsServer === false) return row.run();
  const server = await openBenchServer();
  try {
    return await row.run(server);
  } finally {
    await server.close();
  }
}
