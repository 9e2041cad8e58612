import { expect, test } from "vitest";
import { createDoorbell } from "../../plane/doorbell/index.js";
import { createLogHub, createMemoryStore, type LogReader } from "../../store/index.js";
import { VirtualClock } from "../../testing/index.js";
import { tenantIdOf } from "../platform/definitions.js";
import { SubscriptionHub } from "./hub.js";

function hubOver(reader: LogReader, clock: VirtualClock): SubscriptionHub {
  return new SubscriptionHub({
    reader,
    log: createLogHub({ reader, doorbell: createDoorbell(), clock }),
    clock,
    open: (_tenantId, rows) => rows,
    mayDeliver: () => true,
    isUsable: () => true,
    policies: { hash: () => "", allow: () => true },
    report: () => undefined,
  });
}

test("many that subscribe at once ask for the log's head once, and again only when that failed", async () => {
  const clock = new VirtualClock();
  const store = createMemoryStore({ clock });
  let asked = 0;
  const head: LogReader["head"] = (tenantId) =>
    ++asked === 1 ? Promise.reject(new Error("away")) : store.reader.head(tenantId);
  const hub = hubOver({ ...store.reader, head }, clock);
  const acme = tenantIdOf("acme");
  const failed = await Promise.allSettled([hub.open(acme), hub.open(acme)]);
  expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  const leases = await Promise.all(Array.from({ length: 500 }, () => hub.open(acme)));
  expect(asked).toBeLessThanOrEqual(3); // the hub of the logs looks once too
  for (const lease of leases) lease.release();
  await hub.close();
});

test("one tenant cannot take the subscriptions of all, and has room again when one of its own ends", async () => {
  const clock = new VirtualClock();
  const { reader } = createMemoryStore({ clock });
  const hub = hubOver(reader, clock);
  const acme = tenantIdOf("acme");
  const leases = await Promise.all(Array.from({ length: 2_500 }, () => hub.open(acme)));
  await expect(hub.open(acme)).rejects.toMatchObject({ code: "busy" });
  const other = await hub.open(tenantIdOf("globex"));
  leases.pop()?.release();
  leases.push(await hub.open(acme));
  for (const lease of [...leases, other]) lease.release();
  await hub.close();
});
