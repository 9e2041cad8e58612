import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TenantId } from "../kernel/index.js";
import type { WebhookEntry } from "./directory.js";
import { Lane } from "./lane.js";
import { inFlightMax, sharesOf } from "./share.js";

const clock = { monotonicMs: () => 0 };

function laneOf(
  tenant: string,
  { parallel = 8, inFlight = 0 }: { readonly parallel?: number; readonly inFlight?: number } = {},
): Lane {
  const webhook = { id: `${tenant} ${Math.trunc(parallel)}`, tenantId: tenant as TenantId, parallel } as WebhookEntry; // all that is looked at
  const lane = new Lane(webhook, clock);
  lane.inFlight = inFlight;
  return lane;
}
const given = (
  lanes: readonly Lane[],
  inFlight = lanes.reduce((sum, lane) => sum + lane.inFlight, 0),
): Map<Lane, number> => new Map(sharesOf(lanes, { nowMs: 0, inFlight }).map(({ lane, limit }) => [lane, limit]));

describe("places", () => {
  test("of one tenant are eight at most, whatever it has", () => {
    const lanes = Array.from({ length: 20 }, () => laneOf("one"));
    expect([...given(lanes).values()].reduce((sum, limit) => sum + limit, 0)).toBe(8);
    expect([...given(lanes).values()]).toEqual(Array(8).fill(1));
  });

  test("that are few go to those first who have the fewest", () => {
    const [busy, idle] = [laneOf("busy", { inFlight: 7 }), laneOf("idle")];
    expect([...given([busy, idle], inFlightMax - 1)]).toEqual([[idle, 1]]);
  });

  test("are not given where the receiver is left alone, wants to be, or has nothing due", () => {
    const [open, quiet, later] = [laneOf("open"), laneOf("quiet"), laneOf("later")];
    for (let n = 0; n < 5; n++) open.breaker.fail();
    quiet.quietUntilMs = 1;
    later.dueAtMs = 1;
    expect(given([open, quiet, later]).size).toBe(0);
  });

  test("never exceed what a webhook, a tenant and the process may have, and nobody goes without while others get two", () => {
    const lane = fc.record({
      tenant: fc.constantFrom("a", "b", "c", "d"),
      parallel: fc.integer({ min: 1, max: 8 }),
      inFlight: fc.integer({ min: 0, max: 2 }),
    });
    fc.assert(
      fc.property(fc.array(lane, { maxLength: 30 }), fc.integer({ min: 0, max: inFlightMax }), (made, elsewhere) => {
        const lanes = made.map(({ tenant, parallel, inFlight }) =>
          laneOf(tenant, { parallel, inFlight: Math.min(parallel, inFlight) }),
        );
        const own = lanes.reduce((sum, each) => sum + each.inFlight, 0);
        const inFlight = Math.min(inFlightMax, own + elsewhere);
        const shares = given(lanes, inFlight);
        const perTenant = new Map<string, number>();
        for (const [each, limit] of shares) {
          expect(each.inFlight + limit).toBeLessThanOrEqual(each.webhook.parallel);
          perTenant.set(each.webhook.tenantId, (perTenant.get(each.webhook.tenantId) ?? 0) + limit);
        }
        const total = [...perTenant.values()].reduce((sum, limit) => sum + limit, 0);
        expect(total).toBeLessThanOrEqual(inFlightMax - inFlight);
        for (const tenant of ["a", "b", "c", "d"]) {
          const mine = lanes.filter((each) => each.webhook.tenantId === tenant);
          const had = mine.reduce((sum, each) => sum + each.inFlight, 0);
          const got = perTenant.get(tenant) ?? 0;
          if (got > 0) expect(had + got).toBeLessThanOrEqual(8);
          const wants = had < 8 && mine.some((each) => each.inFlight < each.webhook.parallel);
          if (wants && got === 0) expect(Math.max(0, ...perTenant.values())).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});
