import { expect, test } from "vitest";
import { createDoorbell, createLogHub, createMemoryStore } from "../../store/index.js";
import { VirtualClock } from "../../testing/index.js";
import { tenantIdOf } from "../platform/definitions.js";
import { SubscriptionHub } from "./hub.js";

test("one tenant cannot take the subscriptions of all, and has room again when one of its own ends", async () => {
  const clock = new VirtualClock();
  const { reader } = createMemoryStore({ clock });
  const log = createLogHub({ reader, doorbell: createDoorbell(), clock });
  const hub = new SubscriptionHub({
    reader,
    log,
    clock,
    mayDeliver: () => true,
    isKeyUsable: () => true,
    report: () => undefined,
  });
  const acme = tenantIdOf("acme");
  const leases = await Promise.all(Array.from({ length: 2_500 }, () => hub.open(acme)));
  await expect(hub.open(acme)).rejects.toMatchObject({ code: "busy" });
  const other = await hub.open(tenantIdOf("globex"));
  leases.pop()?.release();
  leases.push(await hub.open(acme));
  for (const lease of [...leases, other]) lease.release();
  await hub.close();
});
