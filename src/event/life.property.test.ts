import fc from "fast-check";
import { expect, test } from "vitest";
import { defineAggregate, defineApp, defineController, done, pending, reject } from "../controller/index.js";
import { formatUs, systemIds } from "../kernel/index.js";
import { createTestLog } from "../testing/index.js";
import { allComplete, type Decision, EventFactory, type EventRow, foldEvent, mutate, type Resource } from "./index.js";

const number = { type: "integer" } as const;
const thing = defineAggregate("thing", {
  spec: { type: "object", properties: { size: number } },
  intents: { create: { creates: true }, change: {}, delete: { deletes: true } },
});
const names = ["a", "b"] as const;
const controllers = names.map((name) => defineController({ name, watches: thing, reconcile: () => done() }));
const factory = new EventFactory({ app: defineApp({ aggregates: [thing], controllers }), ids: systemIds });
const causedBy = {
  principal: { type: "apiKey", id: "k" },
  via: "http",
  requestId: "r",
  rulingId: "r",
  policySetHash: "",
  policies: [],
  edge: "e",
  keyId: "k",
  at: "2026-01-01T00:00:00.000000Z",
};

type Step =
  | { readonly intent: "create" | "change" | "delete"; readonly size: number }
  | { readonly controller: (typeof names)[number]; readonly decision: Decision | readonly Decision[] }
  | { readonly dead: (typeof names)[number] };

const status = fc.record({ seen: fc.integer({ min: 0, max: 2 }) });
const one: fc.Arbitrary<Decision> = fc.oneof(
  { weight: 6, arbitrary: status.map((given) => done(given) as Decision) },
  { weight: 2, arbitrary: status.map((given) => pending({ status: given }) as Decision) },
  { weight: 1, arbitrary: fc.constant<Decision>(reject("No", "No.")) },
);
const controller = fc.constantFrom(...names);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      intent: fc.constantFrom("create", "change", "change", "delete" as const),
      size: fc.integer({ min: 0, max: 3 }),
    }) as fc.Arbitrary<Step>,
  },
  { weight: 12, arbitrary: fc.record({ controller, decision: fc.oneof(one, fc.array(one, { maxLength: 3 })) }) },
  { weight: 1, arbitrary: fc.record({ dead: controller }) },
);

const refold = (rows: readonly EventRow[]): Resource | undefined =>
  rows.reduce<Resource | undefined>((folded, row) => foldEvent(folded, row, thing.definition), undefined);

const endsOf = (rows: readonly EventRow[]): readonly EventRow[] =>
  rows.filter(({ type }) => type === "thing.ready" || type === "thing.deleted");

async function run(steps: readonly Step[]): Promise<void> {
  const nowUs = 1_767_225_600_000_000;
  const log = createTestLog({ nowUs: () => nowUs });
  const stream = { aggregateType: "thing", aggregateId: "t-1" };
  await log.add(
    factory.intent(
      { tenantId: log.tenantId, type: "thing.create", aggregateId: "t-1", spec: {}, specText: "{}" },
      causedBy,
    ),
  );
  for (const next of steps) {
    const resource = refold(await log.stream(stream));
    if ("intent" in next) {
      const specText = next.intent === "delete" ? "{}" : JSON.stringify({ size: next.size });
      const request = { tenantId: log.tenantId, type: `thing.${next.intent}`, aggregateId: "t-1", spec: {}, specText };
      await log.append([factory.intent(request, causedBy)]); // may be refused: the store judges the life
      continue;
    }
    if (resource === undefined) continue;
    const now = formatUs(nowUs);
    if ("dead" in next) {
      await log.add(mutate.deadLettered({ resource, controller: next.dead, attempts: 5, code: "internal", now }));
      continue;
    }
    const input = { resource, aggregate: thing.definition, controller: next.controller, decisions: next.decision, now };
    const last = [next.decision].flat().at(-1);
    if (resource.lifecycle === "deleting" && typeof last?.outcome === "object") {
      expect(() => mutate.decide(input)).toThrow("a deletion cannot be rejected");
      continue;
    }
    const decided = mutate.decide(input);
    if (decided.items.length > 0) await log.add(...decided.items);
    const after = refold(await log.stream(stream));
    expect(after?.settled).toBe(decided.settled);
    // Level-triggered: the same single decision on what came of it changes nothing.
    if (Array.isArray(next.decision) || after === undefined) continue;
    expect(mutate.decide({ ...input, resource: after }).items).toEqual([]);
  }
  checkLife(await log.stream(stream));
}

function checkLife(rows: readonly EventRow[]): void {
  const resource = refold(rows);
  if (resource === undefined) return;
  const generations = endsOf(rows).map(({ generation }) => generation);
  expect(new Set(generations).size).toBe(generations.length);
  expect(resource.version).toBe(rows.length);
  expect(resource.phase === "Ready").toBe(
    resource.settled === "ready" && allComplete(resource) && resource.lifecycle !== "deleted",
  );
  expect(Object.keys(resource.status).every((name) => (names as readonly string[]).includes(name))).toBe(true);
  expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
  const keys = resource.conditions.map(({ component, type }) => `${component}/${type}`);
  expect(new Set(keys).size).toBe(keys.length);
}

test("whatever happens, a generation ends at most once, and the same decision twice changes nothing", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), run), { numRuns: 60 });
});
