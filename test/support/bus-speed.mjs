/**
 * Times the built bus and the same work without it, in turns, and prints `{ name: ratio }`: how many times as fast the bus is, medians of the rounds.
 * Run by bus-speed.test.ts in a process of its own, because a test runner's imports are slower than those of a program.
 */
import { EventEmitter } from "node:events";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { EventBus, topic } from "eventplane/bus";

const rounds = 9;
const unlimited = { perSecond: 1_000_000_000, burst: 1_000_000_000 };
const text = { type: "string" };
const schema = {
  type: "object",
  additionalProperties: false,
  required: ["id", "type", "tenant", "data"],
  properties: {
    id: { type: "string", format: "uuid" },
    type: text,
    tenant: { type: "string", format: "uuid" },
    data: {
      type: "object",
      additionalProperties: false,
      required: ["email", "age", "active", "plan", "at"],
      properties: {
        email: { type: "string", format: "email" },
        age: { type: "integer", minimum: 0 },
        active: { type: "boolean" },
        plan: { enum: ["free", "team"] },
        at: { type: "string", format: "date-time" },
      },
    },
  },
};
const tenant = "0190b7c2-0000-7000-8000-000000000001";

function payloadOf(age) {
  const data = { email: "ada@example.com", age, active: true, plan: "team", at: "2026-01-01T00:00:00Z" };
  return { id: tenant, type: "user.created", tenant, data };
}

const sum = { value: 0 };
const expected = { value: 0 };

/** Different functions, as those of a program are. */
function handlers(count, age) {
  return Array.from({ length: count }, () =>
    // oxlint-disable-next-line typescript/no-implied-eval -- there is no other way to make functions that differ
    new Function("sum", `return (given) => { sum.value += given.${age}; };`)(sum),
  );
}

function publishing(count, events) {
  const bus = new EventBus({ topics: { "user.created": topic(schema) }, rateLimit: unlimited });
  for (const handler of handlers(count, "payload.data.age"))
    bus.on("user.created", handler, { breaker: { failures: 5, openMs: 1_000 }, rateLimit: unlimited });
  return () => {
    for (let index = 0; index < events; index++) void bus.publish("user.created", payloadOf(index % 100));
  };
}

/** The emitter of Node.js, with a check and a try. */
function emitting(count, events) {
  const ajv = new Ajv2020();
  formats(ajv);
  const check = ajv.compile(schema);
  const emitter = new EventEmitter();
  emitter.setMaxListeners(count);
  for (const handler of handlers(count, "data.age")) emitter.on("user.created", handler);
  return () => {
    for (let index = 0; index < events; index++) {
      const payload = payloadOf(index % 100);
      if (!check(payload)) throw new Error("the payload fits");
      try {
        emitter.emit("user.created", payload);
      } catch {
        sum.value = Number.NaN;
      }
    }
  };
}

async function work(payload) {
  await Promise.resolve();
  sum.value += payload.data.age;
}

function calling(events) {
  const bus = new EventBus({ topics: { job: topic() } });
  bus.on("job", ({ payload }) => work(payload), { timeoutMs: 10_000, breaker: { failures: 5, openMs: 1_000 } });
  return async () => {
    for (let index = 0; index < events; index++) await bus.publishAndSettle("job", payloadOf(index % 100));
  };
}

/** A timer and a signal for each call, and a count of failures, as one writes it by hand. */
function callingByHand(events) {
  let failures = 0;
  const call = async (payload) => {
    if (failures >= 5) throw new Error("open");
    const controller = new AbortController();
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => {
        controller.abort();
        reject(new Error("late"));
      }, 10_000);
    });
    try {
      await Promise.race([work(payload, controller.signal), late]);
      failures = 0;
    } catch (error) {
      failures++;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };
  return async () => {
    for (let index = 0; index < events; index++) await call(payloadOf(index % 100));
  };
}

/** Median of theirs / ours in time. The first round warms up. */
async function ratio(ours, theirs, events, count) {
  const ratios = [];
  for (let round = 0; round <= rounds; round++) {
    const times = [];
    for (const run of [ours, theirs]) {
      const beganMs = performance.now();
      await run();
      times.push(performance.now() - beganMs);
      for (let index = 0; index < events; index++) expected.value += (index % 100) * count;
    }
    if (round > 0) ratios.push(times[1] / times[0]);
  }
  return ratios.sort((a, b) => a - b)[rounds >> 1];
}

const result = {};
for (const [count, events] of [
  [1, 10_000],
  [10, 4_000],
  [100, 500],
])
  result[`publish to ${count}`] = await ratio(publishing(count, events), emitting(count, events), events, count);
result["call within bounds"] = await ratio(calling(2_000), callingByHand(2_000), 2_000, 1);
if (sum.value !== expected.value) throw new Error(`Handlers added up ${sum.value} instead of ${expected.value}.`);
process.stdout.write(JSON.stringify(result));
