/** The HTTP edge of a test plane: real requests on 127.0.0.1, over memory. */
import { createEdge, type Edge } from "../edge/index.js";
import type { KeyDirectory } from "../event/index.js";
import { type Clock, systemClock, systemIds } from "../kernel/index.js";
import { createMetrics } from "../observe/index.js";
import { MemoryProjectionOverview, MemoryProjectionRows } from "../projection/index.js";
import { MemoryAllowances } from "../quota/index.js";
import { MemoryReplayProgress } from "../replay/index.js";
import { Coalescer, ResourceLoader } from "../store/index.js";
import { MemorySystemStatus, type MemoryWorkStore } from "../work/index.js";
import type { TestEdgeParts } from "./test-edge.js";

/** What it needs beside the parts of the plane. */
export interface TestHttpParts extends Omit<TestEdgeParts, "cedar"> {
  readonly work: MemoryWorkStore;
  readonly directory: KeyDirectory;
}

/** Begins to listen on a free port. Connections live in real time; what is stamped and stored has the plane's. */
export async function openTestHttp(parts: TestHttpParts): Promise<{ readonly edge: Edge; readonly url: string }> {
  const { app, store, signer, verifier, doorbell, logger, table, projections, work, directory } = parts;
  const { personal, dataKeys } = parts;
  const clock: Clock = { ...systemClock, nowUs: () => parts.clock.nowUs() };
  const { reader } = store;
  const edge = await createEdge({
    app,
    log: new Coalescer({ appender: store.edge, signer, clock, doorbell }),
    reader,
    loader: new ResourceLoader({ reader, verifier, app }),
    resources: table,
    projections: {
      rows: new MemoryProjectionRows(projections),
      overview: new MemoryProjectionOverview(projections, () => store.tenants()),
    },
    work,
    replays: new MemoryReplayProgress(),
    allowances: new MemoryAllowances(clock),
    personal,
    dataKeys,
    status: new MemorySystemStatus(),
    doorbell,
    verifier,
    keys: directory,
    signer,
    clock,
    ids: systemIds,
    logger,
    metrics: createMetrics(),
    edge: "test",
    reference: "open",
  });
  const url = await edge.listen({ host: "127.0.0.1", port: 0 });
  await edge.platform.catchUp();
  return { edge, url };
}
