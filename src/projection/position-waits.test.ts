import { beforeEach, describe, expect, test } from "vitest";
import type { TenantId } from "../kernel/index.js";
import { EventplaneError } from "../kernel/index.js";
import { newTenantId, VirtualClock } from "../testing/index.js";
import { PositionWaits } from "./position-waits.js";

const acme: TenantId = newTenantId();

let clock: VirtualClock;
let position: number;
let looks: number;
let waits: PositionWaits;

beforeEach(() => {
  clock = new VirtualClock();
  position = 0;
  looks = 0;
  const look = async (): Promise<number> => {
    looks++;
    if (position < 0) throw new EventplaneError("unavailable", "The store is away.");
    return position;
  };
  waits = new PositionWaits({ clock, what: "the resources", position: look });
});

describe("waiting for a position", () => {
  test("looks once for all that wait of a tenant, and ends with the last of them", async () => {
    const reached = Array.from({ length: 500 }, (_, n) => waits.reach(acme, 1 + (n % 2)));
    await clock.advance(100);
    expect(looks).toBeLessThan(15);
    position = 2;
    await clock.advance(10);
    await Promise.all(reached);
    const before = looks;
    await clock.advance(1_000);
    expect(looks).toBe(before);
    await waits.reach(acme, 2);
    expect(looks).toBe(before + 1);
  });

  test("is a time-out after 5 s for those that waited so long", async () => {
    const early = waits.reach(acme, 9).catch((error: unknown) => error);
    await clock.advance(4_000);
    const later = waits.reach(acme, 9);
    await clock.advance(1_010);
    expect(await early).toMatchObject({ code: "timeout" });
    position = 9;
    await clock.advance(10);
    await later;
  });

  test("fails with what the look fails with, and the next one looks again", async () => {
    position = -1;
    await expect(waits.reach(acme, 1)).rejects.toMatchObject({ code: "unavailable" });
    position = 1;
    await waits.reach(acme, 1);
  });

  test("is refused as busy beyond 1,000 of one tenant", async () => {
    const reached = Array.from({ length: 1_000 }, () => waits.reach(acme, 1));
    expect(() => waits.reach(acme, 1)).toThrow(expect.objectContaining({ code: "busy" }));
    await waits.reach(newTenantId(), 0);
    position = 1;
    await clock.advance(10);
    await Promise.all(reached);
  });
});
