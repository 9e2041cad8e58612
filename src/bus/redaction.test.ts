import { describe, expect, test } from "vitest";
import { isEventplaneError, type JsonObject } from "../kernel/index.js";
import { FoundValues } from "./found-values.js";
import { type EventParts, Redaction, type RedactionOptions } from "./redaction.js";

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

const topic = "order.placed";

const noTopics = { schemas: new Map<string, JsonObject>(), allowsUnknown: true };

function redact(
  parts: EventParts,
  options: RedactionOptions = {},
  schema?: JsonObject,
): ReturnType<Redaction["redact"]> {
  return new Redaction(options, { schemas: new Map([[topic, schema]]), allowsUnknown: true }).redact(topic, parts);
}

describe("by path", () => {
  const payload = {
    card: { number: "4111", holder: "Ada" },
    items: [
      { iban: "DE1", n: 1 },
      { iban: "DE2", n: 2 },
    ],
    note: "x",
  };

  test.each<[string, unknown]>([
    ["payload.card.number", { ...payload, card: { number: "[redacted]", holder: "Ada" } }],
    ["payload.card", { ...payload, card: "[redacted]" }],
    ["payload.card.*", { ...payload, card: { number: "[redacted]", holder: "[redacted]" } }],
    [
      "payload.items.*.iban",
      {
        ...payload,
        items: [
          { iban: "[redacted]", n: 1 },
          { iban: "[redacted]", n: 2 },
        ],
      },
    ],
    [
      "payload.items.1.n",
      {
        ...payload,
        items: [
          { iban: "DE1", n: 1 },
          { iban: "DE2", n: "[redacted]" },
        ],
      },
    ],
    ["payload.*", Object.fromEntries(Object.keys(payload).map((name) => [name, "[redacted]"]))],
    ["payload", "[redacted]"],
    ["payload.nothing.there", payload],
  ])("%s", (path, expected) => {
    expect(redact({ payload }, { paths: { "order.*": [path] } }).payload).toEqual(expected);
    expect(redact({ payload }, { paths: { "invoice.*": [path] } }).payload).toEqual(payload);
  });

  test("metadata too, and several paths at once", () => {
    const parts = { payload, metadata: { ip: "10.0.0.1", trace: "t" } };
    const { payload: shown, metadata } = redact(parts, {
      paths: { "**": ["metadata.ip", "payload.note"], [topic]: ["payload.items", "payload.card.holder"] },
    });
    expect(metadata).toEqual({ ip: "[redacted]", trace: "t" });
    expect(shown).toEqual({
      card: { number: "4111", holder: "[redacted]" },
      items: "[redacted]",
      note: "[redacted]",
    });
  });

  test.each(["card.number", "payload..x", "", "payload.", "*.x"])("%j is refused", (path) => {
    expect(() => new Redaction({ paths: { "**": [path] } }, noTopics)).toThrow(coded("config_invalid"));
  });

  const closed: JsonObject = {
    type: "object",
    properties: {
      id: { type: "string" },
      card: { type: "object", properties: { number: { type: "string" } }, additionalProperties: false },
      items: { type: "array", items: { type: "object", properties: { iban: {} }, additionalProperties: false } },
      open: { type: "object" },
      union: { anyOf: [{ type: "string" }] },
    },
    additionalProperties: false,
  };
  const known = {
    schemas: new Map<string, JsonObject | undefined>([
      ["order.placed", closed],
      ["order.free", undefined],
    ]),
    allowsUnknown: false,
  };

  test.each([
    ["order.placed", "payload.card.nummber"],
    ["order.placed", "payload.crad"],
    ["order.placed", "payload.id.x"],
    ["order.placed", "payload.items.iban"],
    ["order.placed", "payload.items.*.bic"],
    ["order.palced", "payload"],
    ["invoice.*", "metadata.ip"],
  ])("in %s, %s leads nowhere and is refused, because it would redact nothing", (pattern, path) => {
    expect(() => new Redaction({ paths: { [pattern]: [path] } }, known)).toThrow(coded("config_invalid"));
    expect(() => new Redaction({ paths: { [pattern]: [path] } }, { ...known, allowsUnknown: true })).not.toThrow();
  });

  test.each([
    ["order.placed", "payload.card.number"],
    ["order.placed", "payload.*.number"],
    ["order.placed", "payload.items.0.iban"],
    ["order.placed", "payload.open.anything.below"],
    ["order.placed", "payload.union.x"],
    ["order.placed", "metadata.whatever"],
    ["order.*", "payload.ssn"],
  ])("in %s, %s may lead somewhere", (pattern, path) => {
    expect(() => new Redaction({ paths: { [pattern]: [path] } }, known)).not.toThrow();
  });

  test("a pattern that is none is refused", () => {
    expect(() => new Redaction({ paths: { "a.**.b": ["payload"] } }, noTopics)).toThrow(coded("request_invalid"));
  });
});

describe("by key", () => {
  test("defect C8: secrets in lists and nested values are redacted, and author is left alone", () => {
    const payload = {
      author: "Ada",
      authorization: "s1",
      users: [{ apiToken: "s2", name: "n" }, [{ deep: { client_secret: { value: "s3" } } }]],
      passwords: ["s4", "s5"],
      hasToken: true,
      token: null,
    };
    expect(redact({ payload }).payload).toEqual({
      author: "Ada",
      authorization: "[redacted]",
      users: [{ apiToken: "[redacted]", name: "n" }, [{ deep: { client_secret: "[redacted]" } }]],
      passwords: "[redacted]",
      hasToken: true,
      token: null,
    });
  });

  test("keys of one's own are whole words", () => {
    const payload = { email: "a", customerEmail: "b", emails: "c", EMAIL_2: "d", femail: "e" };
    expect(redact({ payload }, { keys: ["email"] }).payload).toEqual({
      email: "[redacted]",
      customerEmail: "[redacted]",
      emails: "c",
      EMAIL_2: "[redacted]",
      femail: "e",
    });
  });
});

describe("by mark of the schema", () => {
  const sensitive = { "x-eventplane-sensitive": true };
  const personal = { type: "string", "x-eventplane-personal": { subject: "/id" } };

  test.each<[string, JsonObject, unknown, unknown]>([
    ["the whole", { ...sensitive }, { a: 1 }, "[redacted]"],
    ["a member", { properties: { a: personal, b: {} } }, { a: "x", b: "y" }, { a: "[redacted]", b: "y" }],
    [
      "elements",
      { items: { properties: { a: personal } } },
      [{ a: 1 }, { a: 2, b: 3 }],
      [{ a: "[redacted]" }, { a: "[redacted]", b: 3 }],
    ],
    ["an element by its place", { prefixItems: [{}, sensitive], items: {} }, [1, 2, 3], [1, "[redacted]", 3]],
    ["the other elements", { prefixItems: [{}], items: sensitive }, [1, 2, 3], [1, "[redacted]", "[redacted]"]],
    ["members by pattern", { patternProperties: { "^s": sensitive } }, { s1: 1, t: 2 }, { s1: "[redacted]", t: 2 }],
    [
      "other members",
      { properties: { a: {} }, additionalProperties: sensitive },
      { a: 1, b: 2 },
      { a: 1, b: "[redacted]" },
    ],
    [
      "a union, whichever branch",
      { anyOf: [{ type: "string" }, { properties: { a: sensitive } }] },
      { a: 1, b: 2 },
      { a: "[redacted]", b: 2 },
    ],
    [
      "a condition's branch",
      { if: { required: ["b"] }, then: { properties: { a: sensitive } } },
      { a: 1 },
      { a: "[redacted]" },
    ],
    [
      "a reference",
      { $defs: { s: sensitive }, properties: { a: { $ref: "#/$defs/s" } } },
      { a: 1 },
      { a: "[redacted]" },
    ],
    [
      "an anchor",
      { $defs: { s: { $anchor: "s", ...sensitive } }, properties: { a: { $ref: "#s" } } },
      { a: 1 },
      { a: "[redacted]" },
    ],
    [
      "a circle",
      { properties: { next: { $ref: "#" }, a: sensitive } },
      { next: { next: { a: 1, b: 2 } } },
      { next: { next: { a: "[redacted]", b: 2 } } },
    ],
    ["a mark of false", { properties: { a: { "x-eventplane-sensitive": false } } }, { a: 1 }, { a: 1 }],
  ])("%s", (_name, schema, payload, expected) => {
    expect(redact({ payload }, {}, schema).payload).toEqual(expected);
  });

  test.each<[string, JsonObject]>([
    ["a reference to elsewhere", { properties: { a: sensitive, b: { $ref: "https://example.com/b" } } }],
    ["a pointer to nothing", { properties: { a: sensitive, b: { $ref: "#/$defs/b" } } }],
    ["an $id inside", { $defs: { x: { $id: "x", $ref: "#" } }, properties: { a: sensitive } }],
  ])("%s is refused, because a mark behind it would be without effect", (_name, schema) => {
    expect(() => redact({ payload: {} }, {}, schema)).toThrow(coded("config_invalid"));
  });
});

describe("values that were found", () => {
  const replaced = (values: readonly string[], text: string): string => {
    const found = new FoundValues();
    for (const value of values) found.add(value);
    return found.replace(text);
  };

  test.each<[string, readonly string[], string, string]>([
    ["anywhere in a text", ["hunter22"], "bad hunter22: hunter22x", "bad [redacted]: [redacted]x"],
    ["in either case", ["Ada@Example.com"], "no ADA@example.com here", "no [redacted] here"],
    ["in a case that changes the length", ["İbrahim K"], "no İbrahim K, i̇brahim k", "no [redacted], [redacted]"],
    ["with a sigma at the end of a word or within", ["ΝΙΚΟΣ"], "ΝΙΚΟΣΑ", "[redacted]Α"],
    ["escaped as in JSON", ['say "hi"\n'], String.raw`got {"a":"say \"hi\"\n"}`, 'got {"a":"[redacted]"}'],
    ["encoded as in a URL", ["a b/c&d"], "GET /x?q=a%20b%2Fc%26d", "GET /x?q=[redacted]"],
    ["of two, the longer one", ["abcd", "abcdef"], "abcdef abcd", "[redacted] [redacted]"],
    ["short ones where they stand alone", ["12"], "12 of 2012, x12", "[redacted] of 2012, x12"],
    ["with the signs of patterns", ["a.*(b)[c]"], "a.*(b)[c] axx", "[redacted] axx"],
    ["never nothing", ["", "  "], "a  b", "a  b"],
  ])("are taken out %s", (_name, values, text, expected) => {
    expect(replaced(values, text)).toBe(expected);
  });

  test("are seen to their end where a text is cut", () => {
    const secret = "s".repeat(3_000);
    const text = `${"x".repeat(7_990)}${secret}`;
    expect(replaced([secret], text)).toBe(`${"x".repeat(7_990)}[redacted]`);
    expect(replaced(["zzzz"], "y".repeat(20_000))).toHaveLength(8_000);
  });

  test("are bounded: of too many, too long, or what cannot be looked through, no text is left", () => {
    const many = Array.from({ length: 300 }, (_, n) => `value-${n}`);
    expect(replaced(many, "anything")).toBe("[withheld]");
    expect(replaced(["x".repeat(20_000)], "anything")).toBe("[withheld]");
    const throwing = {
      get bad(): never {
        throw new Error("CANARY");
      },
    };
    for (const payload of [throwing, Array.from({ length: 20_000 }, () => 1)]) {
      const { payload: shown, found } = redact({ payload });
      expect([shown, found.replace("anything")]).toEqual(["[too large]", "[withheld]"]);
    }
  });
});
