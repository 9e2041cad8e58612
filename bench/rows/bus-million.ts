/** Row "bus-million": a million events, of which some throw, reject or never end. */
import { EventBus } from "../../dist/bus/index.js";
import { runBusGate } from "../../test/support/bus-gate.js";
import type { Row } from "../support/row.js";

/** The same gate as in test/bus-gate.test.ts. */
export const busMillion: Row = {
  name: "bus-million",
  group: "bus",
  needsServer: false,
  question: "1,000,000 events: 10 % throw, 10 % reject, 1 % hang",
  run: async () => {
    const { events, lost, twice, heapGrowth, seconds, timeouts } = await runBusGate(
      new EventBus({ unknownTopics: "allow" }),
      1_000_000,
    );
    return {
      goals: [
        { what: "events lost", value: lost, atMost: 0 },
        { what: "events twice", value: twice, atMost: 0 },
        { what: "× heap after 200,000 events", value: heapGrowth, atMost: 1.2 },
      ],
      details: { "events/s": events / seconds, "calls that ran out of time": timeouts },
    };
  },
};
