/** Quotas from the terminal. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type EdgeFixture, startEdge } from "./support/edge-fixture.js";
import { buildCommand, evtctl, type Finished } from "./support/evtctl-process.js";

let edge: EdgeFixture;
let environment: Readonly<Record<string, string>> = {};

beforeAll(async () => {
  buildCommand();
  edge = await startEdge();
  await edge.tenant("acme");
  environment = { EVENTPLANE_URL: edge.url, EVENTPLANE_API_KEY: edge.adminKey, EVENTPLANE_TENANT: "acme" };
});
afterAll(() => edge.close());

const quota = (...args: readonly string[]): Promise<Finished> => evtctl(["quota", ...args], { environment });

it("sets what is named and leaves the rest, shows both, and resets", async () => {
  const set = await quota("set", "--requests-per-second", "200", "--bytes-per-day", "1000000");
  expect(set.stdout).toMatch(/^LIMIT +IN FORCE +SET\nrequests-per-second +200 +200\nrequests-burst +400 +-\n/);
  expect([set.status, set.stderr]).toEqual([0, expect.stringMatching(/^version 1, set 20\d\d-/)]);
  await quota("set", "--principal-events-per-second", "5");
  const shown = await quota("show", "-o", "json");
  expect(JSON.parse(shown.stdout)).toMatchObject({
    version: 2,
    quota: { requestsPerSecond: 200, bytesPerDay: 1_000_000, principalEventsPerSecond: 5 },
    limits: { principalEventsPerSecond: 5, principalEventsBurst: 10 },
  });
  expect(JSON.parse((await quota("reset", "-o", "json")).stdout)).toMatchObject({ version: 3, quota: {} });
}, 60_000);

it("says what is wrong before anything is sent", async () => {
  for (const wrong of [["set"], ["set", "--requests-per-second", "0"], ["set", "--requests-per-second", "many"]])
    expect((await quota(...wrong)).status).toBe(2);
}, 60_000);
