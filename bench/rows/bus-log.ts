/** Row "bus-log": what the event log costs a publisher at once, and the process afterwards. */
import { EventBus, type EventLogger, type LogOptions, topic } from "../../dist/bus/index.js";
import { type BusPayload, busPayload, busSchema } from "../support/bus-payload.js";
import { median } from "../support/interleave.js";
import type { Row } from "../support/row.js";

const rounds = 30;
/** Fewer than may wait for the log. */
const eventsPerRound = 5_000;
const drainMs = 60_000;
const name = "user.created";

/** Takes entries and does nothing: what a logger costs is its own affair. */
const nowhere: EventLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

const buses: Readonly<Record<string, { readonly log?: LogOptions; readonly keys?: readonly string[] }>> = {
  "without a log": {},
  "with a log": { log: { to: nowhere } },
  "with payloads": { log: { to: nowhere, payloads: true } },
  "with payloads and a redacted key": { log: { to: nowhere, payloads: true }, keys: ["email"] },
};

/** Of one round, for each event: wall time of publishing, and CPU time of what comes after it; microseconds. */
interface Cost {
  readonly publishUs: number;
  readonly afterUs: number;
}

function openBus({ log, keys = [] }: (typeof buses)[string]): EventBus<{ readonly "user.created": BusPayload }> {
  const bus = new EventBus<{ readonly "user.created": BusPayload }>({
    topics: { [name]: topic(busSchema) },
    redact: { keys },
    ...(log === undefined ? {} : { log }),
  });
  let sum = 0;
  bus.on(name, ({ payload }) => void (sum += payload.data.age));
  return bus;
}

async function costOf(bus: EventBus<{ readonly "user.created": BusPayload }>): Promise<Cost> {
  const started = performance.now();
  for (let index = 0; index < eventsPerRound; index++) void bus.publish(name, busPayload(index));
  const publishUs = ((performance.now() - started) * 1000) / eventsPerRound;
  const before = process.cpuUsage();
  await bus.drain(drainMs);
  const { user, system } = process.cpuUsage(before);
  return { publishUs, afterUs: (user + system) / eventsPerRound };
}

/** One row. */
export const busLog: Row = {
  name: "bus-log",
  group: "bus",
  needsServer: false,
  question: "publish with an event log, and what an entry costs afterwards",
  run: async () => {
    const contenders = Object.entries(buses).map(([what, options]) => ({
      what,
      bus: openBus(options),
      costs: [] as Cost[],
    }));
    for (const { bus } of contenders) await costOf(bus);
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < contenders.length; turn++) {
        const contender = contenders[(round + turn) % contenders.length];
        contender?.costs.push(await costOf(contender.bus));
      }
    }
    const [without, withLog] = contenders;
    const ratios = (withLog?.costs ?? []).map(
      ({ publishUs }, round) => (without?.costs[round]?.publishUs ?? 0) / publishUs,
    );
    const after = contenders.map(({ what, costs }) => [
      `CPU afterwards, µs an event, ${what}`,
      Math.round(median(costs.map(({ afterUs }) => afterUs)) * 10) / 10,
    ]);
    return {
      goals: [{ what: "× publishing without a log", value: median(ratios), atLeast: 0.8 }],
      details: {
        "publishing without a log, µs":
          Math.round(median((without?.costs ?? []).map(({ publishUs }) => publishUs)) * 100) / 100,
        ...Object.fromEntries(after),
      },
    };
  },
};
