/** Several runtimes on one PostgreSQL whose controllers wait for one another while publishers change their resources. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { ControllerRuntime, type ControllerRuntimeOptions } from "../src/controller/index.js";
import { EventFactory } from "../src/event/index.js";
import { systemClock, systemIds, systemRandom, type TenantId } from "../src/kernel/index.js";
import { Coalescer, ResourceLoader } from "../src/store/index.js";
import { createPool, PostgresAppender, PostgresReader } from "../src/store/postgres/index.js";
import {
  createTestApp,
  createTestKeys,
  newTenantId,
  type TestReconcile,
  testCausedBy,
  testDone,
} from "../src/testing/index.js";
import { PostgresWorkStore } from "../src/work/index.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

const runtimes = 3;
const tenants = 2;
const resourcesPerTenant = 6;
const changes = 120;
const waitMsMax = 20_000;

const keys = createTestKeys();
const silent: ControllerRuntimeOptions["logger"] = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silent,
};

/** Each is done only when the one before it has seen the same plan. */
const after =
  (before: string): TestReconcile =>
  ({ resource }) => {
    const status = resource.status[before] as { readonly plan?: unknown } | undefined;
    return status?.plan === resource.spec.plan
      ? testDone({ plan: resource.spec.plan ?? null })
      : { outcome: "progressing" };
  };
const app = createTestApp({
  quota: after("namespace"),
  namespace: ({ resource }) => testDone({ plan: resource.spec.plan ?? null }),
  billing: after("quota"),
});

let installation: Installation;
beforeAll(async () => {
  installation = await installEventplane();
});
afterAll(() => installation.close());

it("every resource comes to rest as Ready on its last plan, with one ready fact a generation at most", async () => {
  const stop = new AbortController();
  const pools = Array.from({ length: runtimes }, () => createPool(installation.url("runtime"), { connectionsMax: 3 }));
  const running = pools.map((pool) =>
    new ControllerRuntime({
      app,
      work: new PostgresWorkStore(pool),
      coalescer: new Coalescer({
        appender: new PostgresAppender(pool, "runtime"),
        signer: keys.runtime,
        clock: systemClock,
      }),
      loader: new ResourceLoader({ reader: new PostgresReader(pool), verifier: keys.verifier, app }),
      clock: systemClock,
      random: systemRandom,
      logger: silent,
      pollMs: 10,
    }).run(stop.signal),
  );
  const edge = new Coalescer({ appender: installation.edge, signer: keys.edge, clock: systemClock });
  const factory = new EventFactory({ app, ids: systemIds });
  const publish = async (tenantId: TenantId, type: string, aggregateId: string, plan: string): Promise<void> => {
    const spec = { plan };
    const request = { tenantId, type: `organization.${type}`, aggregateId, spec, specText: JSON.stringify(spec) };
    const outcome = await edge.append({ tenantId, items: [factory.intent(request, testCausedBy)] });
    expect(outcome.result).toBe("appended");
  };
  const streams = Array.from({ length: tenants }, newTenantId).flatMap((tenantId) =>
    Array.from({ length: resourcesPerTenant }, (_, n) => ({ tenantId, aggregateId: `acme-${n}`, plan: "plan-0" })),
  );
  await Promise.all(streams.map(({ tenantId, aggregateId }) => publish(tenantId, "create", aggregateId, "plan-0")));
  for (let n = 1; n <= changes; n++) {
    const stream = streams[Math.floor(systemRandom() * streams.length)];
    if (stream === undefined) throw new Error("there are streams");
    stream.plan = `plan-${n}`;
    await publish(stream.tenantId, "change-plan", stream.aggregateId, stream.plan);
    if (n % 3 === 0) await systemClock.sleep(systemRandom() * 20);
  }
  const loader = new ResourceLoader({ reader: installation.reader, verifier: keys.verifier, app });
  const unsettled = async (): Promise<readonly unknown[]> => {
    const resources = await Promise.all(
      streams.map(async ({ tenantId, aggregateId, plan }) => {
        const resource = await loader.load(tenantId, { aggregateType: "organization", aggregateId });
        return { aggregateId, plan, phase: resource?.phase, billing: resource?.status["billing"] };
      }),
    );
    return resources.filter(
      ({ plan, phase, billing }) => phase !== "Ready" || JSON.stringify(billing) !== JSON.stringify({ plan }),
    );
  };
  const end = performance.now() + waitMsMax;
  while ((await unsettled()).length > 0 && performance.now() < end) await systemClock.sleep(50);
  expect(await unsettled()).toEqual([]);
  stop.abort();
  await Promise.all(running);
  await Promise.all(pools.map((pool) => pool.end()));
  for (const { tenantId, aggregateId } of streams) {
    const rows = await installation.reader.readStream(tenantId, { aggregateType: "organization", aggregateId });
    const ready = rows.filter(({ type }) => type === "organization.ready").map(({ generation }) => generation);
    expect(new Set(ready).size).toBe(ready.length);
  }
});
