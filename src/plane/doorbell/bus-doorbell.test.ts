import { describe, expect, it } from "vitest";
import { newTenantId } from "../../testing/drafts.js";
import { createDoorbell } from "./bus-doorbell.js";

describe("doorbell", () => {
  const [one, two] = [newTenantId(), newTenantId()];

  it("rings those who listen to the tenant and those who listen to all", () => {
    const doorbell = createDoorbell();
    const heard: unknown[] = [];
    doorbell.listen((tenantId, position) => heard.push(["one", tenantId, position]), one);
    doorbell.listen((tenantId, position) => heard.push(["all", tenantId, position]));
    doorbell.ring(one, 1);
    doorbell.ring(two, 7);
    expect(heard).toEqual([
      ["one", one, 1],
      ["all", one, 1],
      ["all", two, 7],
    ]);
  });

  it("calls the others when a listener throws, and says what it threw", () => {
    const errors: unknown[] = [];
    const doorbell = createDoorbell({ onError: (error) => errors.push(error) });
    const heard: number[] = [];
    doorbell.listen(() => {
      throw new Error("mine");
    }, one);
    doorbell.listen((_, position) => heard.push(position), one);
    doorbell.listen((_, position) => heard.push(position));
    doorbell.ring(one, 3);
    expect(heard).toEqual([3, 3]);
    expect(errors).toEqual([new Error("mine")]);
  });

  it("stops one registration only, also twice and from within a ring", () => {
    const doorbell = createDoorbell();
    const heard: string[] = [];
    const listener = (): void => void heard.push("twice");
    const stop = doorbell.listen(listener, one);
    doorbell.listen(listener, one);
    const stopSelf = doorbell.listen(() => {
      heard.push("self");
      stopSelf();
    }, one);
    stop();
    stop();
    doorbell.ring(one, 1);
    doorbell.ring(one, 2);
    expect(heard).toEqual(["twice", "self", "twice"]);
  });

  it("lets no ring be lost between two listeners that ring, and keeps their order", () => {
    const doorbell = createDoorbell();
    const heard: unknown[] = [];
    doorbell.listen((_, position) => {
      heard.push(["one", position]);
      if (position < 2_000) doorbell.ring(one, position + 1);
    }, one);
    doorbell.listen((tenantId, position) => {
      heard.push(["all", tenantId, position]);
    });
    doorbell.ring(one, 1_990);
    const positions = Array.from({ length: 11 }, (_, index) => 1_990 + index);
    expect(heard).toEqual(
      positions.flatMap((position) => [
        ["one", position],
        ["all", one, position],
      ]),
    );
  });

  it("rings on while thousands of tenants come and go, and keeps nothing of them", () => {
    const doorbell = createDoorbell();
    let heard = 0;
    for (let round = 0; round < 20_000; round++) {
      const tenantId = newTenantId();
      const stop = doorbell.listen(() => heard++, tenantId);
      doorbell.ring(tenantId, round);
      stop();
      doorbell.ring(tenantId, round);
    }
    expect(heard).toBe(20_000);
  });

  it("never throws from a ring, not even of a listener that rings for ever", () => {
    const errors: unknown[] = [];
    const doorbell = createDoorbell({ onError: (error) => errors.push(error) });
    let heard = 0;
    const stop = doorbell.listen((_, position) => {
      heard++;
      for (let more = 0; more < 20_000; more++) doorbell.ring(one, position);
      stop();
    }, one);
    expect(() => doorbell.ring(one, 1)).not.toThrow();
    expect(heard).toBe(1);
    expect(errors).toHaveLength(10_000);
  });
});
