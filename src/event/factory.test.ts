import { describe, expect, test } from "vitest";
import { defineAggregate, defineApp, defineController, done } from "../controller/index.js";
import { EventplaneError, limits, systemIds, uuid8, uuidVersion } from "../kernel/index.js";
import { newTenantId } from "../testing/index.js";
import type { CausedBy } from "./event.js";
import { EventFactory, type IntentRequest, systemFactTypes } from "./factory.js";

const organization = defineAggregate("organization", {
  spec: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
  intents: {
    create: { creates: true },
    rename: {},
    put: { replaces: true, expectedVersion: "any" },
    delete: { deletes: true },
  },
});
const quota = defineController({ name: "quota", watches: organization, reconcile: () => done() });
const factory = new EventFactory({
  app: defineApp({ aggregates: [organization], controllers: [quota] }),
  ids: systemIds,
});
const tenantId = newTenantId();
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
const create: IntentRequest = {
  tenantId,
  type: "organization.create",
  spec: { name: "Acme" },
  specText: '{ "name":"Acme" }',
};

function refusal(request: Partial<IntentRequest>): { readonly code: string; readonly pointer: unknown } {
  try {
    factory.intent({ ...create, ...request } as IntentRequest, causedBy);
  } catch (error) {
    if (error instanceof EventplaneError) return { code: error.code, pointer: error.details["pointer"] };
  }
  throw new Error("nothing was refused");
}

describe("EventFactory.intent", () => {
  test("fills in the id, the names that default to it, and the marks of the controllers", () => {
    const { event, effect, expectedVersion } = factory.intent(create, causedBy);
    expect(uuidVersion(event.id)).toBe(7);
    expect(event).toMatchObject({
      tenantId,
      kind: "intent",
      aggregateType: "organization",
      aggregateId: event.id,
      correlationId: event.id,
      causationId: null,
      specText: '{ "name":"Acme" }',
      statusText: "{}",
      finalizersText: '{"quota":{"completed":false,"observedGeneration":0}}',
      occurredAt: null,
      decision: null,
    });
    expect(JSON.parse(event.causedByText)).toEqual(causedBy);
    expect([effect, expectedVersion]).toEqual(["creates", "any"]);
  });

  test("defaults the expected version by the intent, and takes the publisher's", () => {
    const expectedOf = (request: Partial<IntentRequest>): unknown =>
      factory.intent({ ...create, ...request }, causedBy).expectedVersion;
    expect(expectedOf({ type: "organization.rename" })).toBe("streamExists");
    expect(expectedOf({ type: "organization.delete" })).toBe("streamExists");
    expect(expectedOf({ type: "organization.put" })).toBe("any");
    expect(expectedOf({ expectedVersion: "noStream" })).toBe("noStream");
    expect(expectedOf({ expectedVersion: 7 })).toBe(7);
    expect(factory.intent({ ...create, expectedGeneration: 2 }, causedBy).expectedGeneration).toBe(2);
  });

  test("normalizes occurredAt to UTC microseconds and keeps a trace parent", () => {
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const { event } = factory.intent(
      { ...create, occurredAt: "2026-01-31T10:30:00.1234567+01:00", traceparent },
      causedBy,
    );
    expect(event).toMatchObject({ occurredAt: "2026-01-31T09:30:00.123456Z", traceparent });
  });

  test("takes ids of versions 4 and 7, and 8 only where it was mapped from an outside key", () => {
    const mapped = uuid8("test", "a");
    expect(factory.intent({ ...create, id: systemIds.uuid4() }, causedBy).event.kind).toBe("intent");
    expect(factory.intent({ ...create, id: mapped, idFromOutsideKey: true }, causedBy).event.id).toBe(mapped);
    expect(refusal({ id: mapped })).toEqual({ code: "request_invalid", pointer: "/id" });
    expect(refusal({ id: systemIds.uuid7(), idFromOutsideKey: true })).toEqual({
      code: "request_invalid",
      pointer: "/id",
    });
  });

  const refusals: readonly (readonly [
    string,
    Partial<Record<keyof IntentRequest, unknown>>,
    string,
    string | undefined,
  ])[] = [
    ["no tenant", { tenantId: undefined }, "request_invalid", undefined],
    ["an id that is no UUID", { id: "1" }, "request_invalid", "/id"],
    ["an id in upper case", { id: systemIds.uuid7().toUpperCase() }, "request_invalid", "/id"],
    ["an id of version 5", { id: "35ef1c25-ccc6-537f-8859-408811bdce5b" }, "request_invalid", "/id"],
    ["an aggregate id with a slash", { aggregateId: "a/b" }, "request_invalid", "/aggregateId"],
    ["an aggregate id with a line break at its end", { aggregateId: "a\n" }, "request_invalid", "/aggregateId"],
    ["an empty aggregate id", { aggregateId: "" }, "request_invalid", "/aggregateId"],
    ["an aggregate id of 129 characters", { aggregateId: "a".repeat(129) }, "request_invalid", "/aggregateId"],
    ["an aggregate id ..", { aggregateId: ".." }, "request_invalid", "/aggregateId"],
    ["an aggregate id that is a number", { aggregateId: 1 }, "request_invalid", "/aggregateId"],
    ["another aggregate type", { aggregateType: "house" }, "request_invalid", "/aggregateType"],
    ["an unknown type", { type: "organization.chnage" }, "unknown_type", "/type"],
    ["a type of nothing", { type: "" }, "unknown_type", "/type"],
    ["a subject wildcard as type", { type: "organization.>" }, "unknown_type", "/type"],
    ["a prototype's name as type", { type: "constructor" }, "unknown_type", "/type"],
    ["the runtime's ready", { type: "organization.ready" }, "forbidden_field", "/type"],
    ["the runtime's deleted", { type: "organization.deleted" }, "forbidden_field", "/type"],
    ["the runtime's rejected", { type: "organization.rejected" }, "forbidden_field", "/type"],
    ["the runtime's dead-lettered", { type: "organization.dead-lettered" }, "forbidden_field", "/type"],
    ["an unknown schema version", { schemaVersion: 2 }, "request_invalid", "/schemaVersion"],
    ["a correlation id that is no UUID", { correlationId: "x" }, "request_invalid", "/correlationId"],
    ["a causation id that is no UUID", { causationId: "x" }, "request_invalid", "/causationId"],
    ["a day that does not exist", { occurredAt: "2026-02-30T00:00:00Z" }, "request_invalid", "/occurredAt"],
    ["a time without a zone", { occurredAt: "2026-02-03T00:00:00" }, "request_invalid", "/occurredAt"],
    [
      "a trace parent of zeros",
      { traceparent: `00-${"0".repeat(32)}-00f067aa0ba902b7-01` },
      "request_invalid",
      "/traceparent",
    ],
    ["an expected version 0", { expectedVersion: 0 }, "request_invalid", "/expectedVersion"],
    ["an expected version of a word", { expectedVersion: "latest" }, "request_invalid", "/expectedVersion"],
    ["an expected generation of 1.5", { expectedGeneration: 1.5 }, "request_invalid", "/expectedGeneration"],
    [
      "a spec over the limit",
      { specText: `{"name":"${"x".repeat(limits.eventBytesMax)}"}` },
      "payload_too_large",
      "/spec",
    ],
    [
      "a spec over the limit in bytes only",
      { specText: `{"name":"${"€".repeat(limits.eventBytesMax / 3)}"}` },
      "payload_too_large",
      "/spec",
    ],
  ];
  test.each(refusals)("refuses %s", (_, request, code, pointer) => {
    expect(refusal(request as Partial<IntentRequest>)).toEqual({ code, pointer });
  });

  test("no refusal repeats what it was given", () => {
    for (const field of ["id", "aggregateId", "type", "correlationId", "occurredAt", "traceparent"] as const) {
      try {
        factory.intent({ ...create, [field]: "canary-c4n4ry/" }, causedBy);
      } catch (error) {
        expect(String(error)).not.toContain("c4n4ry");
        continue;
      }
      throw new Error(`${field} was accepted`);
    }
  });
});

describe("EventFactory.systemFact", () => {
  test.each(systemFactTypes)("makes a %s that opens no generation", (type) => {
    const item = factory.systemFact({ tenantId, type, aggregateId: "x", spec: { a: 1 } }, causedBy);
    expect(item).toMatchObject({ effect: "system", expectedVersion: "any" });
    expect(item.event).toMatchObject({
      kind: "fact",
      source: null,
      type,
      aggregateType: type.split(".")[0],
      specText: '{"a":1}',
      finalizersText: "{}",
    });
  });

  test("refuses an aggregate id that no stream may have", () => {
    expect(() =>
      factory.systemFact({ tenantId, type: "refusal.recorded", aggregateId: "a b", spec: {} }, causedBy),
    ).toThrow(expect.objectContaining({ code: "request_invalid" }));
  });
});
