import { describe, expect, test } from "vitest";
import { scopePattern } from "../event/index.js";
import { isNetwork, Networks } from "./networks.js";
import { Scope, Scopes } from "./scope.js";

describe("a scope", () => {
  test("lets a type through by its name, and types by their beginning, never by a part of a word", () => {
    const scope = new Scope(["organization.*", "note.create", "door.key.*"]);
    for (const type of ["organization.create", "organization.create.billing", "note.create", "door.key.turn"])
      expect([type, scope.allowsType(type)]).toEqual([type, true]);
    for (const type of [
      "organizations.create",
      "organization",
      "note.create.billing",
      "note.change",
      "door.keys.turn",
      "door.key",
    ])
      expect([type, scope.allowsType(type)]).toEqual([type, false]);
  });

  test("lets a resource through only with all of its types", () => {
    const scope = new Scope(["organization.*", "note.create"]);
    expect(["organization", "note", "door"].map((each) => scope.allowsAggregate(each))).toEqual([true, false, false]);
    expect(["organization", "note", "door"].map((each) => scope.touches(each))).toEqual([true, true, false]);
  });

  test("says what it can say to the log, and nothing when one column cannot say it", () => {
    expect(new Scope(["note.*"]).narrow({ kind: "fact" })).toEqual({ kind: "fact", aggregateType: "note" });
    expect(new Scope(["note.create"]).narrow({})).toEqual({ type: "note.create" });
    expect(new Scope(["note.*", "door.*"]).narrow({})).toEqual({});
    expect(new Scope(["note.*", "door.open"]).narrow({})).toEqual({});
    expect(new Scope(["note.*"]).narrow({ type: "door.open" })).toEqual({ type: "door.open" });
    expect(new Scope([]).narrow({})).toEqual({});
  });

  test("that is limited to a part lets its events through, and what is whole of it", () => {
    const event = {
      type: "note.create",
      kind: "intent",
      aggregateType: "note",
      aggregateId: "one",
      correlationId: "c",
    } as const;
    const one = new Scope(undefined, { aggregateType: "note", aggregateId: "one" });
    expect([one.allows(event), one.allows({ ...event, aggregateId: "two" })]).toEqual([true, false]);
    expect([one.allowsAggregate("note", "one"), one.allowsAggregate("note"), one.allowsAggregate("door")]).toEqual([
      true,
      false,
      false,
    ]);
    expect([one.touches("note"), one.touches("door"), one.allowsType("door.open")]).toEqual([true, false, false]);
    expect(one.allowsEvery("note.create")).toBe(false);
    const facts = new Scope(["note.*"], { kind: "fact" });
    expect([facts.allows(event), facts.allowsAggregate("note", "one")]).toEqual([false, false]);
    expect(one.narrow({ kind: "fact" })).toEqual({ kind: "fact", aggregateType: "note", aggregateId: "one" });
    expect(new Set([one.key, facts.key, new Scope(["note.*"]).key, new Scope(undefined).key]).size).toBe(4);
  });

  test("within another lets through what both do, however either is written", () => {
    const within = (own: readonly string[] | undefined, other: readonly string[]): string =>
      new Scope(own).within(new Scope(other)).key;
    expect(within(["note.*"], ["note.create", "door.*"])).toBe("note.create");
    expect(within(["note.create", "door.open.*"], ["note.*", "door.*"])).toBe("door.open.* note.create");
    expect(within(["note.*"], ["note.*"])).toBe("note.*");
    expect(within(["note.*"], ["notes.*", "door.*"])).toBe("");
    expect(within(undefined, ["note.*"])).toBe("note.*");
    expect(new Scope(["note.create"]).within(new Scope(["door.*"])).allowsType("note.create")).toBe(false);
  });

  test("of one grant is for that grant alone", () => {
    const scopes = new Scopes(["publisher:note.create", "door.*"]);
    const may = (grant: "publisher" | "reader"): readonly boolean[] =>
      ["note.create", "door.open"].map((type) => scopes.of(grant)?.allowsType(type) === true);
    expect([may("publisher"), may("reader")]).toEqual([
      [true, true],
      [false, true],
    ]);
    expect(new Scopes(["publisher:note.create"]).of("reader")?.allowsType("note.create")).toBe(false);
  });

  test.each([
    "*",
    "note",
    "Note.*",
    "note.",
    ".*",
    "note.*.x",
    "note*",
    "admin:note.*",
    "reader:",
    "reader:*",
    "a b.*",
    "note.**",
  ])("is not %j", (text) => expect(text).not.toMatch(new RegExp(scopePattern)));
});

describe("networks", () => {
  test.each<readonly [string, string, boolean]>([
    ["192.0.2.0/24", "192.0.2.255", true],
    ["192.0.2.0/24", "192.0.3.0", false],
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.8", false],
    ["192.0.2.0/24", "::ffff:192.0.2.9", true],
    ["2001:db8::/32", "2001:db8:1::1", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["::1", "::1", true],
    ["0.0.0.0/0", "::1", false],
    ["::/0", "2001:db8::1", true],
  ])("%s and %s: %s", (network, address, expected) => {
    expect(new Networks([network]).has(address)).toBe(expected);
  });

  test.each([
    "",
    "192.0.2.0/33",
    "2001:db8::/129",
    "192.0.2.0/",
    "192.0.2.0/08",
    "192.0.2/24",
    "fe80::1%eth0",
    "example.com",
    "10.0.0.0/8/8",
    " 10.0.0.1",
  ])("%j is none, and lets nobody in", (text) => {
    expect(isNetwork(text)).toBe(false);
    expect(new Networks([text]).has("10.0.0.1")).toBe(false);
  });

  test("an address that is none is in no network", () => {
    for (const address of ["", "unknown", "10.0.0.1, 192.0.2.7"])
      expect(new Networks(["0.0.0.0/0"]).has(address)).toBe(false);
  });
});
