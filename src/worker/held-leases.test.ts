/** A process that cannot keep its leases stops its calls before another may begin them. */
import { describe, expect, test } from "vitest";
import { EventplaneError, type TenantId } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import type { WorkClaim } from "../work/index.js";
import { HeldLeases } from "./held-leases.js";

const leaseMs = 30_000;
const claim: WorkClaim = {
  tenantId: "1f0c0b1a-0000-4000-8000-000000000001" as TenantId, // any UUID
  aggregateType: "effect",
  aggregateId: "a",
  component: "effect:customer",
  leaseToken: "t",
  attempt: 1,
  isAbandoned: false,
};

/** Leases of one claim over a database that answers a heartbeat like this. */
async function heldWith(extend: () => Promise<readonly WorkClaim[]>): Promise<{
  readonly leases: HeldLeases;
  readonly clock: VirtualClock;
  readonly stop: () => Promise<void>;
}> {
  const clock = new VirtualClock();
  const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
  const work = { claim: async () => [claim], extend };
  const leases = new HeldLeases({ work, clock, leaseMs, logger: silent });
  const stopped = new AbortController();
  const running = leases.run(stopped.signal);
  await leases.claim({ components: [claim.component], limit: 1 });
  const stop = async (): Promise<void> => {
    stopped.abort();
    await running;
  };
  return { leases, clock, stop };
}

describe("the leases of calls under way", () => {
  test("are prolonged at a third of their time, as long as the call lasts", async () => {
    let beats = 0;
    const { leases, clock, stop } = await heldWith(async () => (beats++, [claim]));
    await clock.advance(300_000);
    expect([beats, leases.signalOf(claim).aborted]).toEqual([30, false]);
    leases.drop(claim);
    await clock.advance(60_000);
    expect(beats).toBe(30);
    await stop();
  });

  const endings: readonly (readonly [string, () => Promise<readonly WorkClaim[]>])[] = [
    ["another has the row", async () => []],
    [
      "the database is away",
      async () => {
        throw new EventplaneError("unavailable", "away");
      },
    ],
  ];
  test.each(endings)("%s: the call is aborted with lease_lost before its lease ends", async (_what, extend) => {
    const { leases, clock, stop } = await heldWith(extend);
    const { promise, resolve } = later<number>();
    const signal = leases.signalOf(claim);
    signal.addEventListener("abort", () => resolve(clock.monotonicMs()));
    await clock.advance(leaseMs - 1);
    expect(await promise).toBeLessThan(leaseMs);
    expect(signal.reason).toMatchObject({ code: "lease_lost" });
    await stop();
  });

  test("a claim that is not held any more has an aborted signal", async () => {
    const { leases, stop } = await heldWith(async () => [claim]);
    leases.drop(claim);
    expect(leases.signalOf(claim).aborted).toBe(true);
    await stop();
  });
});

function later<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}
