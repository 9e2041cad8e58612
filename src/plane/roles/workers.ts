/** The role that calls outside. */
import { systemIds, systemRandom } from "../../kernel/index.js";
import { KeyRing, PersonalData, PostgresDataKeys } from "../../personal/index.js";
import { PostgresReader } from "../../store/postgres/index.js";
import { PostgresWorkStore } from "../../work/postgres/index.js";
import { WorkerRuntime } from "../../worker/index.js";
import type { PlaneOptions } from "../plane-options.js";
import type { Shared } from "../shared.js";

/** Starts it, where the application has workers. */
export function startWorkers(options: PlaneOptions, shared: Shared): void {
  if (shared.app.workers.size === 0) return;
  shared.loops.start("workers", (signal) => openWorkers(options, shared).run(signal));
}

function openWorkers(options: PlaneOptions, shared: Shared): WorkerRuntime {
  const { app, pools, logs, verifier, clock, doorbell, metrics, keks } = shared;
  const ring = new KeyRing({ store: new PostgresDataKeys(pools.runtime), keks, clock, ids: systemIds });
  return new WorkerRuntime({
    app,
    work: new PostgresWorkStore(pools.runtime, { codeVersion: app.version }),
    coalescer: logs.runtime,
    reader: new PostgresReader(pools.runtime),
    verifier,
    personal: new PersonalData({ app, ring }),
    clock,
    random: systemRandom,
    ...(options.workerStopGraceMs === undefined ? {} : { stopGraceMs: options.workerStopGraceMs }),
    logger: options.logger.child({ role: "workers" }),
    doorbell,
    metrics,
  });
}
