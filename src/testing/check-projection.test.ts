/** The check of projections finds what is planted in them. */
import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { counter, defineProjection, type Projection } from "../projection/index.js";
import { checkProjection, type GivenEvent, testProjection } from "./index.js";

const events: readonly GivenEvent[] = [
  { type: "organization.create", aggregateId: "a", spec: { plan: "free" } },
  { type: "organization.create", aggregateId: "b", spec: { plan: "team" } },
  { type: "organization.change-plan", aggregateId: "a", spec: { plan: "team" } },
];

function counting(key: () => string): Projection<string, { readonly n: ReturnType<typeof counter> }> {
  return defineProjection({
    name: "planted",
    tables: { n: counter() },
    apply: { "organization.create": (_event, { n }) => n.add(key()) },
  });
}

let calls = 0;
const keptRandom = Math.random;
const keptNow = Date.now;

test("a pure projection passes, and the same events give the same digest", async () => {
  const digest = await checkProjection(testProjection("plans"), events);
  expect(digest).toMatch(/^[0-9a-f]{64}$/);
  expect(await checkProjection(testProjection("plans"), events)).toBe(digest);
  expect(await checkProjection(testProjection("plans"), events.slice(0, 2))).not.toBe(digest);
});

const reading: readonly (readonly [string, () => string])[] = [
  ["Date.now()", () => String(Date.now())],
  ["new Date()", () => new Date().toISOString()],
  ["Date()", () => Date()],
  ["Math.random()", () => String(Math.random())],
  ["performance.now()", () => String(performance.now())],
  ["crypto.randomUUID()", () => crypto.randomUUID()],
  ["crypto.getRandomValues()", () => String(crypto.getRandomValues(new Uint8Array(4)))],
  [
    "uses Math.random(); take",
    () => {
      try {
        return String(Math.random());
      } catch {
        return "caught";
      }
    },
  ],
];

test.each(reading)("projection_impure: an apply is caught that calls %s", async (what, key) => {
  const checked = checkProjection(counting(key), events);
  await expect(checked).rejects.toMatchObject({ code: "projection_impure", details: { position: 1 } });
  await expect(checked).rejects.toThrow(what);
});

test.each<readonly [string, () => string]>([
  ["counts its own calls", () => `call ${++calls}`],
  ["keeps a way to random numbers", () => String(keptRandom())],
  ["keeps a way to the clock", () => String(keptNow())],
  ["imports random numbers", () => String(randomInt(2 ** 40))],
])("projection_impure: an apply is caught that %s", async (_what, key) => {
  await expect(checkProjection(counting(key), events)).rejects.toMatchObject({ code: "projection_impure" });
});

test("fixed dates are no clock", async () => {
  const key = (): string => new Date("2026-01-01T00:00:00Z").toISOString();
  await expect(checkProjection(counting(key), events)).resolves.toMatch(/^[0-9a-f]{64}$/);
});

test("an apply that throws is told with its position", async () => {
  const poison = [...events, { type: "organization.create", aggregateId: "c", spec: { plan: "poison" } }];
  await expect(checkProjection(testProjection("plans"), poison)).rejects.toMatchObject({
    code: "projection_invalid",
    details: { position: 4, code: "RangeError" },
  });
});

test("clocks and random numbers work again afterwards", async () => {
  await checkProjection(testProjection("plans"), events);
  expect([Date.now() > 0, Math.random() >= 0, performance.now() > 0, crypto.randomUUID().length]).toEqual([
    true,
    true,
    true,
    36,
  ]);
});
