/** Row "bus-thread": what it costs to call a handler in a thread of its own. */
import { EventBus, topic } from "../../dist/bus/index.js";
import { type BusPayload, busPayload, busSchema, busSum } from "../support/bus-payload.js";
import { type Contender, interleave } from "../support/interleave.js";
import type { Row } from "../support/row.js";

const rounds = 20;
const eventsPerRound = 2_000;
const inFlight = 32;
const module = new URL(
  "data:text/javascript,let sum = 0; export default async ({ payload }) => { await undefined; sum += payload.data.age; }",
);

function busOf(): EventBus<{ readonly job: BusPayload }> {
  return new EventBus<{ readonly job: BusPayload }>({ topics: { job: topic(busSchema) } });
}

function contender(name: string, bus: EventBus<{ readonly job: BusPayload }>, callers: number): Contender {
  return {
    name,
    round: async () => {
      let next = 0;
      const caller = async (): Promise<void> => {
        while (next < eventsPerRound) await bus.publishAndSettle("job", busPayload(next++));
      };
      await Promise.all(Array.from({ length: callers }, caller));
      return eventsPerRound;
    },
  };
}

/** From publish to the end of the call: one event at a time, and a full queue with two threads. */
export const busThread: Row = {
  name: "bus-thread",
  group: "bus",
  needsServer: false,
  question: "a handler in a thread against one in the process, publish to settled, one at a time",
  run: async () => {
    const [inThread, inThreads, here] = [busOf(), busOf(), busOf()];
    await inThread.on("job", { isolation: "thread", module }).ready();
    await inThreads.on("job", { isolation: "thread", module }, { concurrency: 2 }).ready();
    here.on("job", async ({ payload }) => {
      await Promise.resolve();
      busSum.value += payload.data.age;
    });
    const comparison = await interleave(
      [
        contender("in a thread", inThread, 1),
        contender("in the process", here, 1),
        contender(`two threads, ${inFlight} in flight`, inThreads, inFlight),
      ],
      rounds,
    );
    await Promise.all([inThread.close(), inThreads.close(), here.close()]);
    return {
      comparison,
      goals: [{ what: "× in the process", value: comparison.ratios["in the process"], atLeast: 0.02 }],
    };
  },
};
