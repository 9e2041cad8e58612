/** Row "read": a whole log of 100,000 events from its beginning, in pages of a thousand. */
import { newTenantId } from "../../dist/testing/index.js";
import { interleave } from "../support/interleave.js";
import { fillLog, readLog } from "../support/log.js";
import { specOf } from "../support/payload.js";
import type { Row } from "../support/row.js";
import type { BenchServer } from "../support/server.js";

const eventsMax = 100_000;
const pageSize = 1_000;
const emmettStream = "everything";

/** Events as the public type, payloads parsed when they are touched; and once more with every spec touched. */
export const read: Row = {
  name: "read",
  group: "read",
  question: "read 100,000 events in pages of 1,000",
  async run(server) {
    const store = await server.ours();
    const emmett = await server.emmett();
    const tenantId = newTenantId();
    await fillLog(store, tenantId, eventsMax);
    await fillEmmett(emmett);
    const comparison = await interleave(
      [
        { name: "eventplane", round: () => readLog(store, tenantId, { pageSize }) },
        {
          name: "eventplane, every spec parsed",
          round: () => readLog(store, tenantId, { pageSize, visit: ({ spec }) => void spec }),
        },
        { name: "emmett", round: () => emmett.readAll(pageSize, eventsMax, () => {}) },
        { name: "emmett, one stream", round: () => emmett.readStream(emmettStream, pageSize, () => {}) },
      ],
      7,
    );
    const [, parsed, theirs] = comparison.contenders;
    return {
      comparison,
      goals: [{ what: "× Emmett", value: comparison.ratios["emmett"], atLeast: 3 }],
      details: { "× Emmett with every spec parsed": (parsed?.perSecond ?? 0) / (theirs?.perSecond ?? Number.NaN) },
    };
  },
};

async function fillEmmett(emmett: Awaited<ReturnType<BenchServer["emmett"]>>): Promise<void> {
  for (let done = 0; done < eventsMax; done += 500) {
    const specs = Array.from({ length: 500 }, (_, index) => specOf(done + index).object);
    await emmett.append(emmettStream, "changed", specs);
  }
}
