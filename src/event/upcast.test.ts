import { describe, expect, test } from "vitest";
import type { JsonObject } from "../kernel/index.js";
import { draftIntent, newTenantId } from "../testing/index.js";
import type { IntentDefinition, Upcaster } from "./definitions.js";
import { liftSpec } from "./upcast.js";

const schema: JsonObject = {
  type: "object",
  additionalProperties: false,
  required: ["seats"],
  properties: { seats: { type: "integer" } },
};
const steps: readonly (readonly [number, Upcaster])[] = [
  [1, ({ members }) => ({ people: members ?? 0 })],
  [2, ({ people }) => ({ seats: people ?? 0 })],
];

function definitionOf(upcasters: readonly (readonly [number, Upcaster])[] = steps): IntentDefinition {
  return {
    type: "team.create",
    effect: "creates",
    fold: "merge",
    schemaVersion: 3,
    schema,
    upcasters: new Map(upcasters),
    defaultExpectedVersion: "creates",
  };
}
const event = (schemaVersion: number): ReturnType<typeof draftIntent> => ({
  ...draftIntent({ tenantId: newTenantId(), type: "team.create" }),
  schemaVersion,
});

describe("liftSpec", () => {
  test("takes every step from the event's version to the latest, and gives frozen specs", () => {
    expect(liftSpec(definitionOf(), event(1), { members: 3 })).toEqual({ seats: 3 });
    expect(liftSpec(definitionOf(), event(2), { people: 4 })).toEqual({ seats: 4 });
    expect(Object.isFrozen(liftSpec(definitionOf(), event(1), { members: 3 }))).toBe(true);
  });

  test("leaves what is of the latest version, or of a later one, as it is", () => {
    const spec = { seats: 5 };
    expect(liftSpec(definitionOf(), event(3), spec)).toBe(spec);
    expect(liftSpec(definitionOf(), event(4), spec)).toBe(spec);
    expect(liftSpec(undefined, event(1), spec)).toBe(spec);
  });

  test("what was encrypted is not held against the schema: it may be gone", () => {
    expect(liftSpec(definitionOf([[2, () => ({})]]), { ...event(2), keyRefsText: "{}" }, {})).toEqual({});
    expect(() => liftSpec(definitionOf([[2, () => ({})]]), event(2), {})).toThrow("/seats is required");
  });

  test("what a controller passed on sealed fits the place that is marked", () => {
    const email = { type: "string", format: "email", "x-eventplane-personal": { subject: "aggregateId" } };
    const marked: JsonObject = { type: "object", properties: { email, other: { type: "string", format: "email" } } };
    const upcast: Upcaster = ({ mail, ...rest }) => ({ ...rest, email: mail ?? null });
    const definition = { ...definitionOf([[2, upcast]]), schema: marked };
    const mail = `sealed:v1:7c9e6679-7425-40de-944b-e07fc1f90ae7:${"A".repeat(40)}`;
    expect(liftSpec(definition, event(2), { mail })).toEqual({ email: mail });
    expect(liftSpec(definition, event(2), { mail: "ada@example.com" })).toEqual({ email: "ada@example.com" });
    expect(() => liftSpec(definition, event(2), { mail: "ada" })).toThrow("/email");
    expect(() => liftSpec(definition, event(2), { mail, other: mail })).toThrow("/other");
  });

  const broken: readonly (readonly [string, Upcaster])[] = [
    [
      "throws",
      () => {
        throw new RangeError("a secret");
      },
    ],
    ["changes what it is given", (spec) => Object.assign(spec, { seats: 1 })],
    ["gives no object", () => null as unknown as JsonObject],
    ["gives nothing", () => undefined as unknown as JsonObject],
    ["gives what does not fit", () => ({ seats: "many" })],
    ["gives what is no JSON", () => ({ seats: 1n as unknown as number })],
  ];
  test.each(broken)("a step that %s is upcast_failed with the event, and without its payload", (_name, upcast) => {
    const lift = (): JsonObject => liftSpec(definitionOf([[2, upcast]]), event(2), { people: 41714 });
    expect(lift).toThrow(
      expect.objectContaining({ code: "upcast_failed", message: expect.not.stringMatching(/41714|secret/) }),
    );
  });
});
