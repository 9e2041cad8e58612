import { expect, test } from "vitest";
import { z } from "zod";
import { defineAggregate } from "../controller/index.js";
import { admitSealed, compileSchema, type JsonObject } from "../kernel/index.js";
import { readSchema } from "./read-schema.js";

const mark = (value: unknown): Record<string, unknown> => ({ "x-eventplane-personal": value });
const bySubject = mark({ subject: "aggregateId" });

test.each([
  ["a string", { type: "string", ...bySubject }],
  ["a string or null", { type: ["string", "null"], ...bySubject }],
  ["a union of strings", { anyOf: [{ type: "string" }, { type: "null" }], ...bySubject }],
  ["strings in a list", { type: "array", items: { type: "string", ...mark({ subject: "/a~1b/0" }) } }],
])("%s may be personal", (_, schema) => {
  expect(() => readSchema({ type: "object", properties: { a: schema } }, "a test", "encrypts")).not.toThrow();
});

test.each([
  ["an object", { type: "object", ...bySubject }, "is no string"],
  ["a number", { type: "number", ...bySubject }, "is no string"],
  ["anything", bySubject, "is no string"],
  ["a string of nobody", { type: "string", ...mark(true) }, "names no data subject"],
  ["a string of a name", { type: "string", ...mark({ subject: "email" }) }, "names no data subject"],
])("%s cannot be encrypted, and its schema is refused", (_, schema, why) => {
  const source = { type: "object", properties: { a: schema } };
  expect(() => readSchema(source, "a test", "encrypts")).toThrow(why);
});

test("names of members cannot be encrypted, and their mark is refused", () => {
  const names = { type: "object", propertyNames: { type: "string", ...bySubject }, additionalProperties: true };
  const source = { type: "object", properties: { a: names } };
  for (const role of ["encrypts", "holds"] as const)
    expect(() => readSchema(source, "a test", role)).toThrow("the name of a member is never encrypted");
});

test.each([["/email"], ["/people/0"]])("a data subject is not named by a personal datum (%s)", (subject) => {
  const personal = { type: "string", ...mark({ subject }) };
  const properties = { email: personal, people: { type: "array", items: personal } };
  expect(() => readSchema({ type: "object", properties }, "a test", "encrypts")).toThrow("named by a personal datum");
});

test("a mark where nothing is done about it is refused", () => {
  const source = { type: "object", properties: { a: { type: "string", ...bySubject } } };
  expect(() => readSchema(source, "a test")).toThrow("cannot be used");
  const sensitive = { type: "object", properties: { a: { type: "string", "x-eventplane-sensitive": true } } };
  expect(() => readSchema(sensitive, "a test", "encrypts")).toThrow("cannot be used");
});

test("zod's meta carries the mark into the schemas of all intents, patches too", () => {
  const customer = defineAggregate("customer", {
    spec: z.object({ email: z.email().meta(bySubject).optional(), plan: z.string() }),
    intents: { create: { creates: true }, change: {} },
  });
  for (const { schema } of customer.definition.intents.values())
    expect(JSON.stringify(schema)).toContain('"x-eventplane-personal":{"subject":"aggregateId"}');
});

test("behind the edge a marked place takes sealed values beside what it says, or nothing else", () => {
  const sealed = `sealed:v1:7c9e6679-7425-40de-944b-e07fc1f90ae7:${"A".repeat(40)}`;
  const schema: JsonObject = {
    type: "object",
    properties: {
      a: { type: "string", maxLength: 5, "x-eventplane-personal": true },
      b: { type: "string", maxLength: 5 },
    },
  };
  const fits = (admission: "beside" | "only", value: JsonObject): boolean =>
    compileSchema(admitSealed(schema, admission))(value).length === 0;
  expect([fits("beside", { a: sealed }), fits("beside", { a: "x" }), fits("beside", { b: sealed })]).toEqual([
    true,
    true,
    false,
  ]);
  expect([fits("only", { a: sealed }), fits("only", { a: "x" }), fits("only", { b: "x" })]).toEqual([
    true,
    false,
    true,
  ]);
});
