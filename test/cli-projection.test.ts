/** A projection from the terminal: listed, rebuilt, verified, paused. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ProjectionInfo } from "../src/client/index.js";
import { buildCommand, evtctl, type Finished, freePort, Served } from "./support/evtctl-process.js";
import { until } from "./support/plane-fixture.js";

let folder = "";
let dataDir = "";
let dev: Served;

const appText = (
  version: number,
): string => `import { defineAggregate, defineApp, defineProjection, groupBy } from "eventplane";

const text = { type: "string" } as const;
const organization = defineAggregate("organization", {
  spec: { type: "object", properties: { plan: text }, required: ["plan"] } as const,
  intents: { create: { creates: true } },
});
const byPlan = defineProjection({
  name: "by_plan",
  version: ${version},
  from: [organization],
  tables: { plans: groupBy({ by: ["plan"], acrossTenants: true }) },
  apply: { "organization.create": (event, { plans }) => plans.put(event.aggregateId, { plan: event.spec.plan }) },
});

export default defineApp({ aggregates: [organization], projections: [byPlan] });
`;

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-projection-"));
  dataDir = join(folder, "data");
  const config = join(folder, "eventplane.config.ts");
  await writeFile(config, appText(1));
  dev = Served.start(["dev", "--data-dir", dataDir, "--config", config], await freePort());
  await dev.ready();
  await dev.says("Eventplane is ready");
});
afterAll(async () => {
  await dev?.end("SIGTERM");
  await rm(folder, { recursive: true, force: true });
});

const call = (...args: readonly string[]): Promise<Finished> => evtctl(["--data-dir", dataDir, ...args]);

async function shown(): Promise<ProjectionInfo> {
  const { stdout } = await call("projection", "show", "by_plan", "-o", "json");
  return JSON.parse(stdout) as ProjectionInfo;
}

describe("evtctl projection", () => {
  it("lists, rebuilds and verifies, and says the state digest", async () => {
    const published = await call("publish", "organization.create", "--spec", '{"plan":"team"}');
    expect(published.status).toBe(0);
    await until("it to be folded", async () => ((await shown()).lagEvents === 0 ? true : undefined));
    const list = await call("projection", "list");
    expect(list.stdout).toMatch(
      /^NAME\s+STATE\s+POSITION\s+LAG\s+VERSION\nby_plan\s+running\s+\d+ of \d+\s+0 events, 0\.0 s\s+1\n$/,
    );
    const rebuilt = await call("projection", "rebuild", "by_plan");
    expect(rebuilt.stdout).toMatch(
      /^projection by_plan: rebuilt, state digest [0-9a-f]{16}… at position \d+, the same as before\n$/,
    );
    const verified = await call("projection", "verify", "by_plan", "-o", "json");
    expect([verified.status, JSON.parse(verified.stdout)]).toMatchObject([0, { check: { isSame: true } }]);
  });

  it("shows the rows of a tenant, and those of all tenants added up", async () => {
    expect((await call("tenant", "create", "other")).status).toBe(0);
    const own = await call("projection", "query", "by_plan", "plans", "--where", "plan=team");
    expect([own.status, own.stdout]).toEqual([0, "PLAN  COUNT\nteam  1\n"]);
    const all = await call("projection", "query", "by_plan", "plans", "--across-tenants");
    expect([all.status, all.stdout]).toEqual([0, "PLAN  COUNT  TENANTS\nteam  1      1\n"]);
    const json = await call(
      "projection",
      "query",
      "by_plan",
      "plans",
      "--across-tenants",
      "--limit",
      "1",
      "-o",
      "json",
    );
    const row = { group: { plan: "team" }, count: 1, sums: {}, tenants: 1 };
    expect(JSON.parse(json.stdout)).toEqual({ rows: [row], next: '["team"]' });
    const more = await call("projection", "query", "by_plan", "plans", "--across-tenants", "--limit", "1");
    expect(more.stderr).toContain(`There are more: --after '["team"]'`);
    const none = await call("projection", "query", "by_plan", "nothing", "--across-tenants");
    expect([none.status, none.stderr]).toEqual([3, expect.stringContaining("must be one of plans")]);
    const both = await call("projection", "query", "by_plan", "plans", "--across-tenants", "--min-position", "1");
    expect([both.status, both.stderr]).toEqual([2, expect.stringContaining("does not go with --across-tenants")]);
    expect((await call("projection", "query", "by_plan", "plans", "--where", "team")).status).toBe(2);
  });

  it("pauses, says so to who wants a rebuild then, and resumes", async () => {
    expect((await call("projection", "pause", "by_plan")).stdout).toBe("projection by_plan: pause is asked for\n");
    await until("it to pause", async () => ((await shown()).state === "paused" ? true : undefined));
    const rebuilt = await call("projection", "rebuild", "by_plan");
    expect([rebuilt.status, rebuilt.stderr]).toEqual([2, expect.stringContaining("evtctl projection resume by_plan")]);
    expect((await call("projection", "resume", "by_plan")).status).toBe(0);
    await until("it to resume", async () => ((await shown()).state === "running" ? true : undefined));
  });

  it("is for all tenants with --all-tenants, and unknown names are not found", async () => {
    const all = await call("projection", "show", "by_plan", "--all-tenants", "-o", "json");
    expect(JSON.parse(all.stdout)).toMatchObject({ name: "by_plan", tenants: 1, differing: 0 });
    expect((await call("projection", "reset", "by_plan")).status).toBe(0);
    expect((await call("projection", "show", "nothing")).status).toBe(1);
  });

  it("is folded anew when a newer version is saved", async () => {
    await writeFile(join(folder, "eventplane.config.ts"), appText(2));
    await dev.says("reloaded");
    await expect.poll(async () => (await shown()).liveVersion, { timeout: 15_000 }).toBe(2);
  });

  it("stands still under an older version, which says so, until it is rebuilt", async () => {
    await writeFile(join(folder, "eventplane.config.ts"), appText(1));
    const degraded = async (): Promise<unknown> =>
      ((await (await fetch(`${dev.url}/readyz`)).json()) as { readonly degraded: unknown }).degraded;
    await expect.poll(degraded, { timeout: 15_000 }).toEqual(["projection_newer: by_plan tenants 1"]);
    const verified = await call("projection", "verify", "by_plan");
    expect([verified.status, verified.stderr]).toEqual([1, expect.stringContaining("nothing was compared")]);
    expect((await call("projection", "rebuild", "by_plan")).status).toBe(0);
    expect(await shown()).toMatchObject({ liveVersion: 1, lagEvents: 0 });
    expect(await degraded()).toEqual([]);
  });
});
