import { beforeEach, expect, test } from "vitest";
import type { EventplaneError, TenantId } from "../../kernel/index.js";
import { type AllowanceClaim, Allowances, Holdings, MemoryAllowances, quotaDefaults } from "../../quota/index.js";
import { VirtualClock } from "../../testing/index.js";
import type { Principal } from "../principal.js";
import { EdgeLimits } from "./edge-limits.js";
import { StreamLimit } from "./stream-limit.js";

const tenants = ["1", "2"].map((digit) => `${digit.repeat(8)}-1111-8111-8111-111111111111` as TenantId);
const [crowded, small] = tenants as [TenantId, TenantId];
const quota = { spec: { principalRequestsPerSecond: 1, principalRequestsBurst: 1 }, version: 1, setAtUs: null };
let clock: VirtualClock;
let claims: AllowanceClaim[];
let limits: EdgeLimits;

beforeEach(() => {
  clock = new VirtualClock();
  claims = [];
  const store = new MemoryAllowances(clock);
  const report = (): void => undefined;
  const recording = {
    claim: async (claimed: readonly AllowanceClaim[]) => {
      claims.push(...claimed);
      return store.claim(claimed);
    },
    declare: (...said: Parameters<MemoryAllowances["declare"]>) => store.declare(...said),
    sweep: () => store.sweep(),
  };
  limits = new EdgeLimits({
    allowances: new Allowances({ store: recording, clock, report, onCall: () => undefined }),
    streams: new StreamLimit({ clock, count: async () => 0 }),
    connections: new Holdings({ store, clock, holder: "edge", name: "connections", report }),
    quotas: { of: () => quota },
    defaults: quotaDefaults,
    clock,
    onReached: () => undefined,
  });
});

const principal = (tenantId: TenantId, id: string): Principal => ({
  type: "service",
  id,
  tenantId,
  grants: new Set(),
});
const admitted = async (tenantId: TenantId, id: string): Promise<unknown> => {
  try {
    await limits.admit(principal(tenantId, id));
    return true;
  } catch (error) {
    return (error as EventplaneError).details["of"]; // the limits throw no others
  }
};

test("a tenant with principals without number takes no limit of another's principals away", async () => {
  for (let n = 0; n < 10_100; n++) await admitted(crowded, `one ${n}`);
  expect(await admitted(crowded, "one more")).toBe(true);
  expect(await admitted(crowded, "one more")).toBe(true);
  expect([await admitted(small, "only"), await admitted(small, "only")]).toEqual([true, "principal"]);
});

test("what a tenant does not use is given back after a second, also while its principals are remembered", async () => {
  expect(await admitted(small, "only")).toBe(true);
  claims = [];
  await clock.advance(1_000);
  limits.tend();
  await clock.advance(0);
  const given = claims.filter(({ tokens }) => tokens < 0).map(({ name }) => name);
  expect(given).toContain("requests");
});
