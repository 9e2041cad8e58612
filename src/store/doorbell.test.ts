import { describe, expect, it } from "vitest";
import { newTenantId } from "../testing/drafts.js";
import { createDoorbell } from "./doorbell.js";

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
});
