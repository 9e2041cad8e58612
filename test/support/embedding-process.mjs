/** A process that opens a plane with threads in itself; says what became of its event loop while a controller hung. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openPlane } from "eventplane/plane";
import app from "./embedding.config.mjs";

const [databaseUrl, dataDir, rolePrefix] = process.argv.slice(2);
const appFile = fileURLToPath(new URL("./embedding.config.mjs", import.meta.url));
const failures = [];
const note = (fields) => void (fields.code !== undefined && failures.push(`${fields.controller} ${fields.code}`));
const logger = { debug() {}, info() {}, warn: note, error: note, child: () => logger };
const plane = await openPlane(app, {
  databaseUrl,
  dataDir,
  rolePrefix,
  migrate: true,
  logger,
  threads: { appFile, count: 2 },
});
await plane.createTenant("acme");
const me = plane.as({ tenant: "acme", principal: { id: "u1" } });
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
await me.publish({ type: "job.create", aggregateId: "hangs", spec: { mode: "hangs" } });
while (failures.length === 0) await sleep(20);
delay.disable();
const { settled } = await me.publish({ type: "job.create", aggregateId: "calm", spec: {} }, { wait: "settled" });
await plane.close();
process.stdout.write(JSON.stringify({ failure: failures[0], settled, heldMs: Math.round(delay.max / 1e6) }));
