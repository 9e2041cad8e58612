import { describe, expect, test } from "vitest";
import type { EventRow } from "../event/index.js";
import { aggregatesOf, isMeant } from "./filter.js";

const row = (type: string, kind: EventRow["kind"] = "intent"): EventRow =>
  ({ type, kind, aggregateType: type.split(".", 1)[0] }) as EventRow; // all that is looked at

describe("a filter", () => {
  test("without members means everything", () => {
    expect(isMeant({}, row("organization.create"))).toBe(true);
    expect(aggregatesOf({})).toEqual([]);
  });

  test("means what every list that is there has", () => {
    const filter = { kinds: ["fact"], types: ["organization.*"], aggregateTypes: ["organization"] } as const;
    expect(isMeant(filter, row("organization.ready", "fact"))).toBe(true);
    expect(isMeant(filter, row("organization.ready", "internal"))).toBe(false);
    expect(isMeant(filter, row("note.ready", "fact"))).toBe(false);
  });

  test("takes types by name or by beginning, whole tokens only", () => {
    const filter = { types: ["organization.create", "organization.plan.*"] };
    const meant = ["organization.create", "organization.plan.changed", "organization.plan.a.b"];
    const others = [
      "organization.created",
      "organization.planned",
      "organization.plan",
      "organizations.create",
      "note.create",
    ];
    expect(meant.map((type) => isMeant(filter, row(type)))).toEqual(meant.map(() => true));
    expect(others.map((type) => isMeant(filter, row(type)))).toEqual(others.map(() => false));
  });

  test("names the aggregates that its owner must be able to subscribe to", () => {
    expect(aggregatesOf({ types: ["organization.create", "organization.*", "note.create"] })).toEqual([
      "organization",
      "note",
    ]);
    expect(aggregatesOf({ types: ["note.create"], aggregateTypes: ["organization"] })).toEqual(["organization"]);
    expect(aggregatesOf({ kinds: ["fact"] })).toEqual([]);
  });
});
