/** Attack 8: how long a credential takes to be refused says nothing about it (Welch's t below 4.5 over 2,000). */
import { afterAll, beforeAll, expect, test } from "vitest";
import { decideKey } from "../src/edge/authentication.js";
import { readAuthorization } from "../src/edge/credentials.js";
import { PLATFORM_TENANT_ID, systemClock } from "../src/kernel/index.js";
import {
  call,
  type EdgeFixture,
  eventually,
  type FixtureTenant,
  refusalsIn,
  startEdge,
} from "./support/edge-fixture.js";

const samples = 2_000;
const tMax = 4.5;
/** The slowest tenth of each class is interruptions, not work; the same share of all classes is left out. */
const keptShare = 0.9;
const attemptsMax = 5;

let edge: EdgeFixture;
let tenant: FixtureTenant;
let classes: Record<string, string>;

beforeAll(async () => {
  edge = await startEdge();
  tenant = await edge.tenant("acme");
  const secret = tenant.key.slice(-43);
  const flip = (character: string | undefined): string => (character === "A" ? "B" : "A");
  classes = {
    "unknown id": tenant.key.replace(tenant.keyId, "01900000-0000-7000-8000-000000000000"),
    "wrong first byte": tenant.key.slice(0, -43) + flip(secret[0]) + secret.slice(1),
    "wrong last byte": tenant.key.slice(0, -43) + secret.slice(0, 41) + flip(secret[41]) + secret.slice(42),
  };
});
afterAll(() => edge.close());

test("refusing a key inside the edge takes the same time for an unknown id and for a wrong first or last byte", async () => {
  const check = (key: string): void => {
    const by = { state: edge.edge.platform.fresh(), nowUs: systemClock.nowUs(), address: "127.0.0.1" };
    if (decideKey(readAuthorization(`Bearer ${key}`), by).result === "opened") throw new Error("a wrong key was taken");
  };
  const worst = await leastDistinguishable(async (key) => check(key));
  expect(worst).toBeLessThan(tMax);
});

test("refusing a key over HTTP takes the same time too, says the same, and is recorded in the platform's log", async () => {
  const bodies = new Set<string>();
  const worst = await leastDistinguishable(async (key) => {
    const response = await fetch(`${edge.url}/v1/tenants/acme/events`, call(key));
    const { requestId: _, ...rest } = (await response.json()) as Record<string, unknown>;
    bodies.add(JSON.stringify(rest));
    if (response.status !== 401) throw new Error(`a wrong key was answered ${response.status}`);
  });
  expect(worst).toBeLessThan(tMax);
  expect(bodies.size).toBe(1);
  const recorded = await eventually(async () => (await refusalsIn(edge.reader, PLATFORM_TENANT_ID))[0], "a refusal");
  expect(recorded).toMatchObject({ code: "unauthenticated", principal: "anonymous" });
  expect(await refusalsIn(edge.reader, tenant.id)).toEqual([]);
}, 120_000);

test("the check turns red on a comparison that stops at the first difference", async () => {
  const stored = Buffer.from(tenant.key.repeat(400));
  const leaky = async (key: string): Promise<void> => {
    const shown = Buffer.from(key.repeat(400));
    // The ends differ at the first byte of the secret or not before the last.
    if (shown.subarray(0, key.length).equals(stored.subarray(0, key.length))) return;
    for (let at = 0; at < stored.length; at++) {
      const here = key === classes["wrong last byte"] ? at < stored.length - 1 : at < 50;
      if (!here) return;
    }
  };
  expect(await leastDistinguishable(leaky)).toBeGreaterThan(tMax);
});

/** The largest |t| between two classes, in the best of a few rounds: a leak is in every round, noise is not. */
async function leastDistinguishable(check: (key: string) => Promise<void>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < attemptsMax && least >= tMax; attempt++)
    least = Math.min(least, await distinguishability(check));
  return least;
}

async function distinguishability(check: (key: string) => Promise<void>): Promise<number> {
  const times = new Map<string, number[]>(Object.keys(classes).map((name) => [name, []]));
  for (const key of Object.values(classes)) for (let n = 0; n < 200; n++) await check(key);
  const names = [...times.keys()];
  for (let n = 0; n < samples; n++) {
    for (let offset = 0; offset < names.length; offset++) {
      const name = names[(n + offset) % names.length] ?? "";
      const key = classes[name] ?? "";
      const from = process.hrtime.bigint();
      await check(key);
      times.get(name)?.push(Number(process.hrtime.bigint() - from));
    }
  }
  const kept = names.map((name) => (times.get(name) ?? []).sort((a, b) => a - b).slice(0, samples * keptShare));
  return Math.max(...kept.flatMap((left, index) => kept.slice(index + 1).map((right) => Math.abs(welch(left, right)))));
}

/** Welch's t of two samples. */
function welch(left: readonly number[], right: readonly number[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = (values: readonly number[]): number => {
    const center = mean(values);
    return values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1);
  };
  return (mean(left) - mean(right)) / Math.sqrt(variance(left) / left.length + variance(right) / right.length);
}
