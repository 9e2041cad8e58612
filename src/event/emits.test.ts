/** What controllers emit beside their decisions: what may be, what it becomes, and what it is called. */
import { describe, expect, test } from "vitest";
import { isEventplaneError, PLATFORM_TENANT_ID, type TenantId } from "../kernel/index.js";
import { createTestApp, newEventId, newTenantId, testCausedBy, testDone } from "../testing/index.js";
import type { AppendItem } from "./append-item.js";
import type { Decision } from "./definitions.js";
import { foldEvent } from "./fold.js";
import { mutate } from "./mutate.js";
import type { Resource } from "./resource.js";

const app = createTestApp({ quota: () => testDone() }, [], { naming: () => testDone(), billing: () => testDone() });
const now = "2026-01-01T00:00:01.000000Z";

function organization(tenantId: TenantId = newTenantId()): Resource {
  const id = newEventId();
  const row = {
    id,
    tenantId,
    kind: "intent",
    aggregateType: "organization",
    aggregateId: "acme",
    type: "organization.create",
    schemaVersion: 1,
    specText: "{}",
    statusText: "{}",
    finalizersText: '{"quota":{"completed":false,"observedGeneration":0}}',
    source: null,
    causedByText: JSON.stringify(testCausedBy),
    correlationId: id,
    causationId: null,
    decision: null,
    keyRefsText: null,
    occurredAt: null,
    traceparent: null,
  } as const;
  return foldEvent(
    undefined,
    { ...row, version: 1, position: 1, generation: 1, lifecycle: "live", recordedAtUs: 0 },
    app.aggregates.get("organization"),
  );
}

function decide(resource: Resource, decisions: Decision | readonly Decision[]): readonly AppendItem[] {
  const aggregate = app.aggregates.get("organization");
  if (aggregate === undefined) throw new Error("the app has organizations");
  return mutate.decide({ resource, aggregate, controller: "quota", decisions, now, app }).items;
}

/** The resource after the events of its own stream. */
function after(resource: Resource, items: readonly AppendItem[]): Resource {
  const own = items.filter(
    ({ event }) => event.aggregateId === resource.aggregateId && event.aggregateType === "organization",
  );
  return own.reduce<Resource>(
    (fold, { event }) =>
      foldEvent(
        fold,
        {
          ...event,
          version: fold.version + 1,
          position: fold.position + 1,
          generation: 1,
          lifecycle: "live",
          recordedAtUs: 1,
        },
        undefined,
      ),
    resource,
  );
}

const project = { type: "project.create", aggregateId: "web", spec: { name: "Web", tags: ["b", "a"] } };

describe("an emitted intent", () => {
  test("stands behind the decision that lists it, inherits who and why, and waits for its own controllers", () => {
    const basis = organization();
    const [own, ready, intent, ...more] = decide(basis, {
      outcome: "completed",
      status: { members: 3 },
      emit: project,
    });
    expect(more).toEqual([]);
    expect(own?.event.decision).toMatchObject({ component: "quota", basisVersion: 1, emits: [intent?.event.id] });
    expect(ready?.event.type).toBe("organization.ready");
    expect(intent).toMatchObject({
      effect: "creates",
      expectedVersion: "any",
      event: {
        kind: "intent",
        tenantId: basis.tenantId,
        aggregateType: "project",
        aggregateId: "web",
        specText: '{"name":"Web","tags":["b","a"]}',
        statusText: "{}",
        finalizersText: JSON.stringify({
          naming: { completed: false, observedGeneration: 0 },
          billing: { completed: false, observedGeneration: 0 },
        }),
        causationId: basis.origin?.id,
        correlationId: basis.origin?.correlationId,
        causedByText: basis.origin?.causedByText,
        decision: { component: "emit:quota", basisVersion: 1, now },
      },
    });
  });

  test("is made once in a generation, whatever it was decided on, and again in the next with another id", () => {
    const basis = organization();
    const first = decide(basis, { outcome: "progressing", emit: project });
    const reordered = { ...project, spec: { tags: ["b", "a"], name: "Web" } };
    expect(decide(basis, { outcome: "progressing", emit: [reordered, project] }).map(({ event }) => event.id)).toEqual(
      first.map(({ event }) => event.id),
    );
    const next = after(basis, first);
    expect(next.emits).toHaveLength(1);
    expect(decide(next, { outcome: "progressing", emit: project })).toEqual([]);
    const other = decide(next, { outcome: "progressing", emit: [project, { ...project, aggregateId: "app" }] });
    expect(other.map(({ event }) => event.aggregateId)).toEqual(["acme", "app"]);
    expect(decide(organization(basis.tenantId), { outcome: "progressing", emit: project }).at(-1)?.event.id).not.toBe(
      first.at(-1)?.event.id,
    );
  });

  test("takes the id of the resource where it names none, and what its type says of versions", () => {
    const basis = organization();
    const emits = [
      { type: "project.rename" },
      { type: "project.delete" },
      { type: "organization.delete", aggregateId: "beta" },
    ];
    const items = decide(
      basis,
      emits.map((emit) => ({ outcome: "progressing", emit })),
    );
    const intents = items.filter(({ event }) => event.kind === "intent");
    expect(
      intents.map(({ effect, expectedVersion, event }) => [event.type, event.aggregateId, effect, expectedVersion]),
    ).toEqual([
      ["project.rename", "acme", "updates", "streamExists"],
      ["project.delete", "acme", "deletes", "streamExists"],
      ["organization.delete", "beta", "deletes", "streamExists"],
    ]);
  });
});

describe("an event of a name of its own", () => {
  test("is of the kind of its decision, and leaves status, finalizers and conditions of the resource as they are", () => {
    const basis = organization();
    const condition = { type: "Blocked", status: "True", reason: "Waiting", message: "Waits." } as const;
    const items = decide(basis, {
      outcome: "progressing",
      status: { members: 3 },
      conditions: [condition],
      emit: { type: "organization.quota-counted", spec: { members: 3 } },
    });
    expect(items.map(({ event }) => [event.kind, event.type])).toEqual([
      ["internal", "organization.create.quota"],
      ["internal", "organization.quota-counted"],
    ]);
    const fold = after(basis, items);
    expect(fold).toMatchObject({ version: 3, status: { quota: { members: 3 } }, phase: "Progressing" });
    expect(fold.conditions).toMatchObject([{ type: "Ready" }, condition]);
    const facts = decide(basis, testDone()).length;
    const done = decide(basis, { outcome: "completed", emit: { type: "organization.quota-counted" } });
    expect(done).toHaveLength(facts + 1);
    expect(done[1]?.event).toMatchObject({ kind: "fact", type: "organization.quota-counted", specText: "{}" });
  });
});

describe("refused as decision_invalid is what emits", () => {
  const emits: readonly (readonly [string, unknown])[] = [
    ["no object", "project.create"],
    ["nothing", null],
    ["no type", { spec: {} }],
    ["a type that is none", { type: "Project!" }],
    ["a type that is no intent of the app", { type: "project.rename-all" }],
    ["into an aggregate that the app does not have", { type: "key.create" }],
    ["the intent of the resource itself", { type: "organization.change-plan" }],
    ["a type like those of decisions", { type: "organization.create.quota" }],
    ["a type of the runtime's", { type: "organization.ready" }],
    ["a deletion in the runtime's name", { type: "project.deleted", aggregateId: "web" }],
    ["a name of its own to another resource", { type: "organization.renamed", aggregateId: "beta" }],
    ["a spec that is a list", { type: "project.create", spec: [] }],
    ["a spec that JSON does not have", { type: "project.create", spec: { at: new Date(0) } }],
    ["a spec that is too large", { type: "project.create", spec: { text: "x".repeat(140_000) } }],
    ["an aggregateId that cannot be one", { type: "project.create", aggregateId: "a/b" }],
    [
      "more at once than may be",
      Array.from({ length: 65 }, (_, at) => ({ type: "project.create", aggregateId: `p-${at}` })),
    ],
  ];
  test.each(emits)("%s", (_, emit) => {
    expect(failure(organization(), emit)).toBe("decision_invalid");
  });

  test.each(["tenantId", "causedBy", "correlationId", "causationId", "id", "kind", "finalizers", "expectedVersion"])(
    "attack 2: the member %s, and with it another tenant, cause or place",
    (member) => {
      expect(failure(organization(), { ...project, [member]: newTenantId() })).toBe("decision_invalid");
    },
  );

  test("an intent in the platform's log", () => {
    expect(failure(organization(PLATFORM_TENANT_ID), project)).toBe("decision_invalid");
  });

  test("more in one generation than may be", () => {
    const emits = Array.from({ length: 990 }, () => newEventId());
    const full = { ...organization(), emits };
    const eleven = Array.from({ length: 11 }, (_, at) => ({ type: "project.create", aggregateId: `p-${at}` }));
    expect(failure(full, eleven)).toBe("decision_invalid");
    expect(failure(full, eleven.slice(1))).toBeUndefined();
  });

  test("a spec that does not fit the schema of its intent", () => {
    const strict = app.aggregates.get("project");
    const create = strict?.intents.get("project.create");
    if (strict === undefined || create === undefined) throw new Error("the app has projects");
    const schema = { type: "object", required: ["name"], properties: { name: { type: "string" } } };
    const intents = new Map([...strict.intents, ["project.create", { ...create, schema }]]);
    const aggregates = new Map([...app.aggregates, ["project", { ...strict, intents }]]);
    const input = {
      resource: organization(),
      aggregate: strict,
      controller: "quota",
      now,
      app: { ...app, aggregates },
    };
    const emitting = (spec: object): Decision => ({ outcome: "progressing", emit: { type: "project.create", spec } });
    expect(() => mutate.decide({ ...input, decisions: emitting({ name: 1 }) })).toThrow(/does not fit: \/name/);
    expect(mutate.decide({ ...input, decisions: emitting({ name: "Web" }) }).items).toHaveLength(2);
  });
});

function failure(resource: Resource, emit: unknown): string | undefined {
  try {
    decide(resource, { outcome: "progressing", emit } as Decision); // what a team's JavaScript may hand over
    return undefined;
  } catch (error) {
    return isEventplaneError(error) ? error.code : String(error);
  }
}
