/** How long a command waits for a projection that is folded anew. */
import { describe, expect, test } from "vitest";
import type { ProjectionInfo, ProjectionTotals } from "../../client/index.js";
import type { Terminal } from "../terminal.js";
import { follow, type Standing } from "./follow.js";

const failure = { code: "RangeError", message: "apply of a.b threw RangeError.", position: 5 };
const ofTenant: ProjectionInfo = {
  name: "plans",
  version: 1,
  tenantId: "t",
  state: "stopped",
  requests: 1,
  position: 4,
  head: 3_000,
  lagEvents: 2_996,
  lagSeconds: 9,
  liveVersion: 1,
  failure,
  fresh: { role: "rebuild", position: 0 },
  check: null,
};
const ofAll: ProjectionTotals = {
  name: "plans",
  version: 1,
  isPaused: false,
  requests: 1,
  tenants: 2,
  lagEvents: 0,
  stopped: [{ code: failure.code, tenants: 1 }],
  differing: 0,
  fresh: { tenants: 1, position: 4, head: 9 },
  waiting: 0,
  stoppedTenants: [{ tenantId: "t-1", ...failure }],
};

/** Follows what is seen one look after another, the last again and again. */
async function followed(...seen: readonly Standing[]): Promise<{ readonly end: unknown; readonly looks: number }> {
  let looks = 0;
  const look = async (): Promise<Standing> => seen[Math.min(looks++, seen.length - 1)] ?? ofTenant;
  const terminal = { isInteractive: false } as Terminal; // nothing else of it is used then
  const end = await follow(look, { wanted: 1, terminal, pause: async () => undefined }).catch(
    (error: unknown) => error,
  );
  return { end, looks };
}

describe("following a projection", () => {
  test("waits for a rebuild that moves, though what is read stands still", async () => {
    const moving = Array.from({ length: 30 }, (_, look) => ({
      ...ofTenant,
      fresh: { role: "rebuild" as const, position: look * 100 },
    }));
    const done: ProjectionInfo = { ...ofTenant, state: "running", failure: null, fresh: null };
    expect(await followed({ ...ofTenant, requests: 0, fresh: null }, ...moving, done)).toEqual({
      end: done,
      looks: 32,
    });
  });

  test("ends with the reason when nothing moves beside an event that cannot be applied", async () => {
    const { end, looks } = await followed(ofTenant);
    expect(end).toMatchObject({ code: "projection_invalid" });
    expect(String(end)).toContain("at position 5: apply of a.b threw RangeError.");
    expect(looks).toBe(11);
  });

  test("of all tenants ends too, and names the first that stands still", async () => {
    const { end } = await followed(ofAll);
    expect(end).toMatchObject({ code: "projection_invalid" });
    expect(String(end)).toContain("tenant t-1");
  });

  test("goes on waiting where nothing moves and nothing has failed", async () => {
    const still: ProjectionInfo = { ...ofTenant, state: "running", failure: null };
    const done: ProjectionInfo = { ...still, fresh: null };
    expect((await followed(...Array.from({ length: 40 }, () => still), done)).end).toBe(done);
  });

  test("ends at once when it is paused", async () => {
    const { end, looks } = await followed({ ...ofTenant, state: "paused" });
    expect([end, looks]).toMatchObject([{ code: "usage" }, 1]);
  });
});
