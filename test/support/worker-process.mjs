/** A process that runs one worker and nothing else; its configuration comes as JSON on standard input. It lives until it is killed. */
import { text } from "node:stream/consumers";
import { createEd25519Signer, createVerifier, KeyDirectory } from "../../dist/event/index.js";
import { systemClock, systemIds, systemRandom } from "../../dist/kernel/index.js";
import { KeyEncryptionKeys, KeyRing, PersonalData, PostgresDataKeys } from "../../dist/personal/index.js";
import { Coalescer } from "../../dist/store/index.js";
import { createPool, PostgresAppender, PostgresReader } from "../../dist/store/postgres/index.js";
import { PostgresWorkStore } from "../../dist/work/index.js";
import { defineWorker, WorkerRuntime } from "../../dist/worker/index.js";

const config = JSON.parse(await text(process.stdin));

/** Tells the test that it is here, and stays when it is told to. */
async function point(name) {
  await fetch(`${config.serviceUrl}/points/${name}`);
  if (config.stopAt === name) await new Promise(() => undefined);
}

const worker = defineWorker({
  ...config.worker,
  run: async ({ idempotencyKey, signal }) => {
    await point("before");
    const response = await fetch(`${config.serviceUrl}/customers`, {
      method: "POST",
      headers: { "idempotency-key": idempotencyKey },
      signal,
    });
    const answer = await response.json();
    await point("after");
    return answer;
  },
});
const directory = new KeyDirectory(config.rootPublicKey);
for (const introduction of config.introductions) directory.accept(introduction);
const pool = createPool(config.databaseUrl, { connectionsMax: 4 });
const say = (fields, message) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
const logger = { debug() {}, info() {}, warn: say, error: say, child: () => logger };
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());
const ring = new KeyRing({
  store: new PostgresDataKeys(pool),
  keks: new KeyEncryptionKeys([]),
  clock: systemClock,
  ids: systemIds,
});
await new WorkerRuntime({
  app: { workers: new Map([[worker.definition.name, worker.definition]]) },
  work: new PostgresWorkStore(pool),
  coalescer: new Coalescer({
    appender: new PostgresAppender(pool, "runtime"),
    signer: createEd25519Signer({ privateKey: config.privateKey, tier: "runtime" }),
    clock: systemClock,
  }),
  reader: new PostgresReader(pool),
  verifier: createVerifier(directory),
  personal: new PersonalData({ app: { aggregates: new Map() }, ring }),
  clock: systemClock,
  random: systemRandom,
  logger,
  leaseMs: config.leaseMs,
  pollMs: 50,
  stopGraceMs: config.stopGraceMs ?? 200,
}).run(stop.signal);
await pool.end();
