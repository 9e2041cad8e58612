import { beforeEach, describe, expect, test } from "vitest";
import { blocked, defineAggregate, defineApp, defineController, done, pending, reject } from "../controller/index.js";
import { EventplaneError, formatUs, systemIds, uuidVersion } from "../kernel/index.js";
import { createTestLog, type TestLog } from "../testing/index.js";
import type { CausedBy, EventRow } from "./event.js";
import {
  type Decision,
  EventFactory,
  emptyFold,
  foldEvent,
  type IntentRequest,
  mutate,
  type Resource,
} from "./index.js";

const text = { type: "string" } as const;
const organization = defineAggregate("organization", {
  spec: {
    type: "object",
    properties: { name: text, plan: text, tags: { type: "object", additionalProperties: text } },
    required: ["name"],
  },
  status: {
    quota: { type: "object", properties: { members: { type: "integer" }, note: text }, required: ["members"] },
  },
  intents: {
    create: { creates: true },
    "change-plan": { schema: { type: "object", properties: { plan: text } } },
    put: { replaces: true },
    count: { fold: (spec) => ({ ...spec, plan: `${String(spec.plan)}!` }), schema: { type: "object", properties: {} } },
    delete: { deletes: true },
  },
});
const quota = defineController({ name: "quota", watches: organization, reconcile: () => done({ members: 1 }) });
const billing = defineController({ name: "billing", watches: organization, reconcile: () => done() });
const app = defineApp({ aggregates: [organization], controllers: [quota, billing] });
const { definition: aggregate } = organization;
const causedBy: CausedBy = {
  principal: { type: "apiKey", id: "k1" },
  via: "http",
  requestId: "r1",
  rulingId: "r1",
  policySetHash: "00",
  policies: [],
  edge: "e1",
  keyId: "00000000-0000-8000-8000-000000000001",
  at: "2026-01-01T00:00:00.000000Z",
};

let nowUs = 1_767_225_600_000_000;
let log: TestLog;
const factory = new EventFactory({ app, ids: systemIds });
const bare = new EventFactory({ app: defineApp({ aggregates: [organization] }), ids: systemIds });

beforeEach(() => {
  nowUs = 1_767_225_600_000_000;
  log = createTestLog({ nowUs: () => (nowUs += 1_000) });
});

async function publish(
  type: string,
  spec: object,
  more: Partial<IntentRequest> = {},
  by: EventFactory = factory,
): Promise<EventRow> {
  const specText = JSON.stringify(spec);
  const request = { tenantId: log.tenantId, type, spec: JSON.parse(specText), specText, ...more };
  const [row] = await log.add(by.intent(request, causedBy));
  return row!;
}

async function resource(aggregateId: string): Promise<Resource> {
  const rows = await log.stream({ aggregateType: "organization", aggregateId });
  return rows.reduce<Resource | undefined>((folded, row) => foldEvent(folded, row, aggregate), undefined)!;
}

async function decide(
  aggregateId: string,
  controller: string,
  decisions: Decision | readonly Decision[] | undefined,
): Promise<Resource> {
  const { items } = mutate.decide({
    resource: await resource(aggregateId),
    aggregate,
    controller,
    decisions,
    now: formatUs(nowUs),
  });
  if (items.length > 0) await log.add(...items);
  return resource(aggregateId);
}

const decideError = async (aggregateId: string, decision: unknown): Promise<EventplaneError> => {
  try {
    await decide(aggregateId, "quota", decision as Decision);
  } catch (error) {
    if (error instanceof EventplaneError) return error;
  }
  throw new Error("nothing was thrown");
};

const conditionOf = (of: Resource, type: string): string | undefined =>
  of.conditions.find((it) => it.type === type)?.status;

describe("fold", () => {
  test("a change merges into the spec, opens a generation and keeps the rest", async () => {
    const { aggregateId } = await publish("organization.create", {
      name: "Acme",
      plan: "free",
      tags: { a: "1", b: "2" },
    });
    await publish("organization.change-plan", { plan: "team", tags: { a: null } }, { aggregateId });
    const folded = await resource(aggregateId);
    expect(folded.spec).toEqual({ name: "Acme", plan: "team", tags: { b: "2" } });
    expect(folded).toMatchObject({
      generation: 2,
      version: 2,
      lifecycle: "live",
      phase: "Pending",
      expected: ["quota", "billing"],
    });
  });

  test("an intent that replaces takes its spec as it is, and one with its own fold folds itself", async () => {
    const { aggregateId } = await publish("organization.create", { name: "Acme", plan: "free" });
    await publish("organization.put", { name: "B" }, { aggregateId });
    expect((await resource(aggregateId)).spec).toEqual({ name: "B" });
    await publish("organization.count", {}, { aggregateId });
    expect((await resource(aggregateId)).spec).toEqual({ name: "B", plan: "undefined!" });
  });

  test("the result and everything in it is frozen, and untouched parts are shared", async () => {
    const { aggregateId } = await publish("organization.create", { name: "Acme", tags: { a: "1" } });
    const before = await resource(aggregateId);
    const [row] = await log.add(
      ...mutate.decide({
        resource: before,
        aggregate,
        controller: "quota",
        decisions: done({ members: 1 }),
        now: formatUs(nowUs),
      }).items,
    );
    const after = foldEvent(before, row!, aggregate);
    expect(after.spec).toBe(before.spec);
    expect(after.status).toEqual({ quota: { members: 1 } });
    for (const part of [
      after,
      after.spec,
      after.spec.tags,
      after.status,
      after.status.quota,
      after.conditions,
      after.finalizers,
      after.origin,
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  test("a row that is not the next one of its stream, or whose unhashed columns were changed, is corrupt", async () => {
    const first = await publish("organization.create", { name: "Acme" });
    const second = await publish("organization.change-plan", { plan: "x" }, { aggregateId: first.aggregateId });
    const folded = foldEvent(undefined, first, aggregate);
    const wrong = [
      first,
      { ...second, version: 3 },
      { ...second, generation: 3 },
      { ...second, lifecycle: "deleting" as const },
      { ...second, aggregateId: "other" },
    ];
    for (const row of wrong)
      expect(() => foldEvent(folded, row, aggregate)).toThrow(expect.objectContaining({ code: "event_corrupt" }));
    expect(foldEvent(folded, second, aggregate).generation).toBe(2);
  });

  test("an empty fold is version 0 of nothing", () => {
    expect(emptyFold({ tenantId: log.tenantId, aggregateType: "organization", aggregateId: "x" })).toMatchObject({
      version: 0,
      generation: 0,
      lifecycle: "none",
    });
  });
});

describe("decide", () => {
  test("the last controller to complete brings <root>.ready in the same append, once", async () => {
    const origin = await publish("organization.create", { name: "Acme" });
    const { aggregateId } = origin;
    const half = await decide(aggregateId, "quota", done({ members: 3 }));
    expect(half).toMatchObject({ phase: "Progressing", settled: null, status: { quota: { members: 3 } } });
    const whole = await decide(aggregateId, "billing", done());
    expect(whole).toMatchObject({ phase: "Ready", settled: "ready", version: 4 });
    expect(conditionOf(whole, "Ready")).toBe("True");
    const rows = await log.stream(origin);
    expect(rows.map(({ type, kind }) => [type, kind])).toEqual([
      ["organization.create", "intent"],
      ["organization.create.quota", "fact"],
      ["organization.create.billing", "fact"],
      ["organization.ready", "fact"],
    ]);
    for (const row of rows.slice(1)) {
      expect(row).toMatchObject({
        causationId: origin.id,
        correlationId: origin.correlationId,
        causedByText: origin.causedByText,
        specText: "{}",
      });
      expect(uuidVersion(row.id)).toBe(5);
    }
    expect(rows[3]?.decision).toMatchObject({ component: "runtime", basisVersion: 2, step: 0 });
    expect((await decide(aggregateId, "billing", done())).version).toBe(4);
  });

  test("a decision that changes nothing makes no event and keeps its requeue", async () => {
    const { aggregateId } = await publish("organization.create", { name: "Acme" });
    const waiting = pending({ requeueAfterMs: 200 });
    const before = await decide(aggregateId, "quota", waiting);
    expect(before).toMatchObject({
      version: 2,
      phase: "Progressing",
      finalizers: { quota: { completed: false, observedGeneration: 1 } },
    });
    const again = mutate.decide({
      resource: before,
      aggregate,
      controller: "quota",
      decisions: waiting,
      now: formatUs(nowUs),
    });
    expect(again).toEqual({ items: [], requeueAfterMs: 200, settled: null });
    expect(
      mutate.decide({ resource: before, aggregate, controller: "quota", decisions: undefined, now: formatUs(nowUs) })
        .items,
    ).toEqual([]);
  });

  test("the same basis and decision give the same ids, so a redelivery adds nothing", async () => {
    const { aggregateId } = await publish("organization.create", { name: "Acme" });
    const basis = await resource(aggregateId);
    const input = { resource: basis, aggregate, controller: "quota", decisions: done({ members: 1 }) };
    const first = mutate.decide({ ...input, now: formatUs(nowUs) }).items;
    await log.add(...first);
    const second = mutate.decide({ ...input, now: formatUs(nowUs + 5) }).items;
    expect(second.map(({ event }) => event.id)).toEqual(first.map(({ event }) => event.id));
    expect(second).toMatchObject([{ effect: "derived", expectedVersion: 1 }]);
    expect(await log.append(second)).toMatchObject({ result: "repeated", contentDiffers: false });
  });

  test("a later completed: false turns the Ready condition off, repeats no fact, and completing turns it on again", async () => {
    const { aggregateId } = await publish("organization.create", { name: "Acme" });
    await decide(aggregateId, "quota", done({ members: 3 }));
    await decide(aggregateId, "billing", done());
    const off = await decide(aggregateId, "quota", pending());
    expect(off).toMatchObject({ phase: "Progressing", settled: "ready", version: 5 });
    expect(conditionOf(off, "Ready")).toBe("False");
    const on = await decide(aggregateId, "quota", done({ members: 3 }));
    expect(on).toMatchObject({ phase: "Ready", version: 6 });
  });

  test("a superseded generation gets no ready, and the new one waits for everybody again", async () => {
    const { aggregateId } = await publish("organization.create", { name: "Acme" });
    await decide(aggregateId, "quota", done({ members: 3 }));
    await publish("organization.change-plan", { plan: "team" }, { aggregateId });
    const after = await decide(aggregateId, "billing", done());
    expect(after).toMatchObject({ generation: 2, settled: null, phase: "Progressing" });
    expect(await decide(aggregateId, "quota", done({ members: 3 }))).toMatchObject({
      phase: "Ready",
      settled: "ready",
    });
  });

  test("a rejection fails the generation until the next one", async () => {
    const { aggregateId } = await publish("organization.create", { name: "Acme" });
    await decide(aggregateId, "billing", done());
    const failed = await decide(aggregateId, "quota", reject("TooMany", "Too many members."));
    expect(failed).toMatchObject({ phase: "Failed", settled: "rejected", version: 3 });
    expect(conditionOf(failed, "Rejected")).toBe("True");
    expect((await decide(aggregateId, "quota", reject("TooMany", "Too many members."))).version).toBe(3);
    expect(await decide(aggregateId, "billing", pending())).toMatchObject({ phase: "Failed" });
    await publish("organization.change-plan", { plan: "team" }, { aggregateId });
    const next = await resource(aggregateId);
    expect(next).toMatchObject({ phase: "Pending", settled: null });
    expect(conditionOf(next, "Rejected")).toBeUndefined();
  });

  test("a deletion cannot be rejected: it could never end", async () => {
    const { aggregateId } = await publish("organization.create", { name: "Acme" });
    await publish("organization.delete", {}, { aggregateId });
    const error = await decideError(aggregateId, reject("Unpaid", "Bills are open."));
    expect(error.code).toBe("decision_invalid");
    expect((await resource(aggregateId)).version).toBe(2);
    expect(await decide(aggregateId, "quota", blocked("Unpaid", "Bills are open."))).toMatchObject({
      phase: "Deleting",
    });
  });

  test("deletion ends with <root>.deleted, after which the name can be used again from nothing", async () => {
    const { aggregateId } = await publish("organization.create", { name: "Acme", plan: "team" });
    await decide(aggregateId, "quota", done({ members: 3 }));
    await publish("organization.delete", {}, { aggregateId });
    expect(await resource(aggregateId)).toMatchObject({ phase: "Deleting", lifecycle: "deleting" });
    await decide(aggregateId, "quota", done());
    const gone = await decide(aggregateId, "billing", done());
    expect(gone).toMatchObject({
      phase: "Deleted",
      lifecycle: "deleted",
      settled: "deleted",
      spec: { name: "Acme", plan: "team" },
    });
    expect((await decide(aggregateId, "billing", pending())).version).toBe(gone.version);
    await publish("organization.create", { name: "Again" }, { aggregateId });
    expect(await resource(aggregateId)).toMatchObject({
      generation: 3,
      lifecycle: "live",
      spec: { name: "Again" },
      status: {},
      phase: "Pending",
    });
  });

  test("without controllers the runtime says ready, once", async () => {
    const { aggregateId } = await publish("organization.create", { name: "Acme" }, {}, bare);
    const item = mutate.ready(await resource(aggregateId), formatUs(nowUs));
    await log.add(item!);
    const ready = await resource(aggregateId);
    expect(ready).toMatchObject({ phase: "Ready", expected: [] });
    expect(mutate.ready(ready, formatUs(nowUs))).toBeUndefined();
  });

  test("of several elements each may report, and the last one decides", async () => {
    const { aggregateId } = await publish("organization.create", { name: "Acme" });
    const after = await decide(aggregateId, "quota", [pending({ status: { members: 1 } }), done({ members: 2 })]);
    const rows = await log.stream({ aggregateType: "organization", aggregateId });
    expect(
      rows.slice(1).map(({ kind, decision, version }) => [kind, decision?.basisVersion, decision?.step, version]),
    ).toEqual([
      ["internal", 1, 0, 2],
      ["fact", 1, 1, 3],
    ]);
    expect(after).toMatchObject({ status: { quota: { members: 2 } }, finalizers: { quota: { completed: true } } });
  });

  test("a block is a condition until the controller's next decision, and does not touch those of others", async () => {
    const { aggregateId } = await publish("organization.create", { name: "Acme" });
    await decide(aggregateId, "billing", blocked("Unpaid", "The invoice is open."));
    await decide(aggregateId, "quota", blocked("Full", "No room."));
    const both = await resource(aggregateId);
    expect(both.conditions.filter(({ type }) => type === "Blocked").map(({ component }) => component)).toEqual([
      "billing",
      "quota",
    ]);
    const after = await decide(aggregateId, "billing", done());
    expect(after.conditions.filter(({ type }) => type === "Blocked").map(({ component }) => component)).toEqual([
      "quota",
    ]);
  });

  test("a dead letter makes the resource Failed until its controller decides again, even the same", async () => {
    const { aggregateId } = await publish("organization.create", { name: "Acme" });
    await decide(aggregateId, "quota", pending());
    await log.add(
      mutate.deadLettered({
        resource: await resource(aggregateId),
        controller: "quota",
        attempts: 5,
        code: "reconcile_failed",
        now: formatUs(nowUs),
      }),
    );
    const stalled = await resource(aggregateId);
    expect(stalled).toMatchObject({ phase: "Failed", settled: null });
    expect(conditionOf(stalled, "Stalled")).toBe("True");
    const healed = await decide(aggregateId, "quota", pending());
    expect(healed).toMatchObject({ phase: "Progressing", version: 4 });
    expect(conditionOf(healed, "Stalled")).toBeUndefined();
  });

  test.each([
    ["a status that its schema refuses", { members: "many" }],
    ["a status with a member that nobody declared", { members: 1, colour: "red" }],
    ["a status that lacks a part", { note: "x" }],
    ["a status of 200 KB", { members: 1, note: "x".repeat(200_000) }],
  ])("%s is decision_invalid, names the controller and adds nothing", async (_, status) => {
    const { aggregateId } = await publish("organization.create", { name: "Acme" });
    const error = await decideError(aggregateId, done<object>(status));
    expect(error.code).toBe("decision_invalid");
    expect(error.details).toMatchObject({ controller: "quota" });
    expect((await resource(aggregateId)).version).toBe(1);
  });

  test("a status is checked as it is after the merge", async () => {
    const { aggregateId } = await publish("organization.create", { name: "Acme" });
    await decide(aggregateId, "quota", done({ members: 1 }));
    const after = await decide(aggregateId, "quota", done({ note: "x" }));
    expect(after.status).toEqual({ quota: { members: 1, note: "x" } });
  });
});
