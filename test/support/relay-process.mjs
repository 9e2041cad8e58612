/** A process that runs one relay and nothing else; its configuration comes as JSON on standard input. It lives until it is killed. */
import { randomUUID } from "node:crypto";
import { text } from "node:stream/consumers";
import { systemClock, systemRandom } from "../../dist/kernel/index.js";
import { createMetrics } from "../../dist/observe/index.js";
import { createPool, PostgresReader } from "../../dist/store/postgres/index.js";
import { Relay } from "../../dist/transport/index.js";
import { openNatsTransport } from "../../dist/transport/nats/index.js";
import { PostgresRelayStore } from "../../dist/transport/postgres/index.js";

const { databaseUrl, natsUrl, leaseMs } = JSON.parse(await text(process.stdin));
const pool = createPool(databaseUrl, { connectionsMax: 4 });
const say = (fields, message) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
const logger = { debug() {}, info() {}, warn: say, error: say, child: () => logger };
await new Relay({
  open: () => openNatsTransport({ servers: [natsUrl] }),
  store: new PostgresRelayStore(pool, { holder: randomUUID(), refillMs: 3_600_000, leaseMs }),
  reader: new PostgresReader(pool),
  clock: systemClock,
  random: systemRandom,
  logger,
  metrics: createMetrics(),
  pollMs: 20,
}).run(new AbortController().signal);
