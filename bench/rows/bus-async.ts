/** Rows "bus-async*" and "bus-call": asynchronous handlers within bounds, each waited for. */
import { EventBus, type SubscriptionOptions, topic } from "../../dist/bus/index.js";
import { breaker, fastQueue, promiseQueue, type Runner } from "../peers/bus-peers.mjs";
import { type BusPayload, busPayload, busSchema, busSum } from "../support/bus-payload.js";
import { type Contender, interleave } from "../support/interleave.js";
import type { Row } from "../support/row.js";

const rounds = 30;
const callsPerRound = 5_000;
const concurrency = 64;
const inFlight = 128;
const timeoutMs = 10_000;

async function work(input: object): Promise<void> {
  await Promise.resolve();
  busSum.value += (input as BusPayload).data.age; // every contender is given such payloads
}

/** Lanes are always there; time-out, breaker and histogram too. */
function bus(options: SubscriptionOptions, hasSchema: boolean): Runner {
  const target = new EventBus<{ readonly job: BusPayload }>({
    topics: { job: hasSchema ? topic(busSchema) : topic<BusPayload>() },
  });
  target.on("job", ({ payload }) => work(payload), { ...options, timeoutMs, breaker: { failures: 5, openMs: 1_000 } });
  return (input) => target.publishAndSettle("job", input as BusPayload); // as above
}

function contender(name: string, run: Runner, callers: number): Contender {
  return {
    name,
    round: async () => {
      let next = 0;
      const caller = async (): Promise<void> => {
        while (next < callsPerRound) await run(busPayload(next++));
      };
      await Promise.all(Array.from({ length: callers }, caller));
      return callsPerRound;
    },
  };
}

function queueRow(hasSchema: boolean): Row {
  return {
    name: hasSchema ? "bus-async-schema" : "bus-async",
    group: "bus",
    needsServer: false,
    question: `async handlers${hasSchema ? " with a schema" : ""}, concurrency 64, 128 in flight`,
    run: async () => {
      const ours = contender("eventplane/bus", bus({ concurrency }, hasSchema), inFlight);
      const fast = contender("fastq", fastQueue(work, concurrency), inFlight);
      const promise = contender("p-queue", promiseQueue(work, concurrency), inFlight);
      const comparison = await interleave([ours, fast, promise], rounds);
      const { fastq, "p-queue": pQueue } = comparison.ratios;
      const toFastq = { what: "× fastq", value: fastq, atLeast: hasSchema ? 0.35 : 0.5 };
      return { comparison, goals: hasSchema ? [toFastq] : [toFastq, { what: "× p-queue", value: pQueue, atLeast: 2 }] };
    },
  };
}

const busCall: Row = {
  name: "bus-call",
  group: "bus",
  needsServer: false,
  question: "time-out and breaker around each call, one at a time",
  run: async () => {
    const ours = contender("eventplane/bus", bus({}, false), 1);
    const comparison = await interleave([ours, contender("opossum", breaker(work, timeoutMs), 1)], rounds);
    return { comparison, goals: [{ what: "× opossum", value: comparison.ratios["opossum"], atLeast: 1.5 }] };
  },
};

/** Each is its own row. */
export const busAsync: readonly Row[] = [queueRow(false), queueRow(true), busCall];
