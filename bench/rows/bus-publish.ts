/** Rows "bus-publish-*" and "bus-bare-*": publishing with everything on, and with as little as there is, to 1, 10 and 100 handlers. */
import { type BusEvent, EventBus, topic } from "../../dist/bus/index.js";
import { checkOf, emitter } from "../peers/bus-peers.mjs";
import { type BusPayload, busHandlers, busPayload, busSchema } from "../support/bus-payload.js";
import { type Contender, interleave } from "../support/interleave.js";
import type { Row } from "../support/row.js";

const rounds = 30;
/** Calls of handlers in one round. */
const callsPerRound = 40_000;
const eventsMin = 2_000;
const unlimited = { perSecond: 1_000_000_000, burst: 1_000_000_000 };
const name = "user.created";

function eventsFor(handlers: number): number {
  return Math.max(eventsMin, callsPerRound / handlers);
}

/** Schema, isolation, frozen events, history, rate limits, breakers, sampled histograms. */
function everything(handlers: number): Contender {
  const bus = new EventBus<{ readonly "user.created": BusPayload }>({
    topics: { [name]: topic(busSchema) },
    rateLimit: unlimited,
  });
  for (const handler of busHandlers<BusEvent<typeof name, BusPayload>>(handlers, "payload.data.age"))
    bus.on(name, handler, { breaker: { failures: 5, openMs: 1_000 }, rateLimit: unlimited });
  return publisher(bus, eventsFor(handlers));
}

function bare(handlers: number): Contender {
  const bus = new EventBus<{ readonly "user.created": BusPayload }>({
    topics: { [name]: topic<BusPayload>() },
    historyMax: 0,
  });
  for (const handler of busHandlers<BusEvent<typeof name, BusPayload>>(handlers, "payload.data.age"))
    bus.on(name, handler);
  return publisher(bus, eventsFor(handlers));
}

function publisher(bus: EventBus<{ readonly "user.created": BusPayload }>, events: number): Contender {
  return {
    name: "eventplane/bus",
    round: async () => {
      // Never a promise here: the handlers are done when it returns.
      for (let index = 0; index < events; index++) void bus.publish(name, busPayload(index));
      return events;
    },
  };
}

function checkedEmitter(handlers: number): Contender {
  const target = emitter();
  const check = checkOf(busSchema);
  for (const handler of busHandlers<BusPayload>(handlers, "data.age")) target.on(name, handler);
  const events = eventsFor(handlers);
  return {
    name: "eventemitter3 + ajv",
    round: async () => {
      let failed = 0;
      for (let index = 0; index < events; index++) {
        const payload = busPayload(index);
        if (!check(payload)) throw new Error("the payload fits");
        try {
          target.emit(name, payload);
        } catch {
          failed++;
        }
      }
      return events - failed;
    },
  };
}

function bareEmitter(handlers: number): Contender {
  const target = emitter();
  for (const handler of busHandlers<BusPayload>(handlers, "data.age")) target.on(name, handler);
  const events = eventsFor(handlers);
  return {
    name: "eventemitter3",
    round: async () => {
      for (let index = 0; index < events; index++) target.emit(name, busPayload(index));
      return events;
    },
  };
}

function publishRow(handlers: number): Row {
  return {
    name: `bus-publish-${handlers}`,
    group: "bus",
    needsServer: false,
    question: `publish with everything on, ${handlers} handlers`,
    run: async () => {
      const comparison = await interleave([everything(handlers), checkedEmitter(handlers)], rounds);
      const value = comparison.ratios["eventemitter3 + ajv"];
      return { comparison, goals: [{ what: "× eventemitter3 + ajv + try/catch", value, atLeast: 0.6 }] };
    },
  };
}

function bareRow(handlers: number, atLeast: number): Row {
  return {
    name: `bus-bare-${handlers}`,
    group: "bus",
    needsServer: false,
    question: `publish without a schema, ${handlers} handlers`,
    run: async () => {
      const comparison = await interleave([bare(handlers), bareEmitter(handlers)], rounds);
      return { comparison, goals: [{ what: "× eventemitter3", value: comparison.ratios["eventemitter3"], atLeast }] };
    },
  };
}

/** Each is its own row, so that one can be run alone. */
export const busPublish: readonly Row[] = [
  publishRow(1),
  publishRow(10),
  publishRow(100),
  bareRow(1, 0.2),
  bareRow(100, 0.5),
];
