/** What may be declared, and the types that follow. */
import { describe, expect, expectTypeOf, test } from "vitest";
import type { JsonObject } from "../kernel/index.js";
import {
  counter,
  type DeclaredTables,
  defineProjection,
  documents,
  groupBy,
  latest,
  type RowOf,
  type TypedQuery,
} from "./index.js";

const apply = { "organization.create": () => undefined };
const tables = { n: counter() };
const fails = (define: () => unknown): void =>
  expect(define).toThrow(expect.objectContaining({ code: "config_invalid" }));

describe("a declaration is refused", () => {
  test.each(["", "Plans", "1st", "by-plan", "x".repeat(41), "plan;drop"])(
    "whose name is no name in SQL: %s",
    (name) => {
      fails(() => defineProjection({ name, tables, apply }));
      fails(() => defineProjection({ name: "plans", tables: { [name]: counter() }, apply }));
    },
  );

  test.each(["a_rows", "a_totals", "a_across_tenants"])("with a table called %s", (name) => {
    fails(() => defineProjection({ name: "plans", tables: { [name]: counter() }, apply }));
  });

  test("with a version that is none, without tables or with too many, or without anything to apply", () => {
    for (const version of [0, -1, 1.5, 2 ** 31])
      fails(() => defineProjection({ name: "plans", version, tables, apply }));
    const many: DeclaredTables = Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`t${n}`, counter()]));
    fails(() => defineProjection({ name: "plans", tables: {}, apply }));
    fails(() => defineProjection({ name: "plans", tables: many, apply }));
    fails(() => defineProjection({ name: "plans", tables, apply: {} }));
    fails(() => defineProjection({ name: "plans", tables, apply: { "Not A Type": () => undefined } }));
  });

  test("with a type of an aggregate that it does not read from", () => {
    const from = [{ definition: { name: "project" } }] as const;
    fails(() => defineProjection({ name: "plans", from, tables, apply }));
  });

  test.each<readonly [readonly string[], readonly string[]]>([
    [[], []],
    [["limit"], []],
    [["Plan"], []],
    [["plan", "plan"], []],
    [["plan"], ["plan"]],
    [["plan"], ["count"]],
    [Array.from({ length: 9 }, (_, n) => `v${n}`), []],
    [["plan"], Array.from({ length: 9 }, (_, n) => `v${n}`)],
  ])("with groups by %j that sum up %j", (by, sums) => {
    fails(() => groupBy({ by, sums }));
  });

  test("with a schema that cannot be used", () => {
    fails(() => latest({ type: "object", default: {} }));
    fails(() => documents({ type: "nothing" }));
  });
});

test("types follow from tables and from the intents of aggregates", () => {
  const organization = { definition: { name: "organization" } } as {
    readonly definition: { readonly name: string };
    readonly "~types"?: {
      readonly message: { readonly type: "organization.create"; readonly spec: { readonly plan: "free" | "team" } };
    };
  };
  const declared = {
    plans: groupBy({ by: ["plan"], sums: ["seats"] }),
    names: latest({ type: "string" } as const),
    docs: documents({ type: "object", properties: { n: { type: "number" } }, required: ["n"] } as const),
  };
  defineProjection({
    name: "plans",
    from: [organization],
    tables: declared,
    apply: {
      "organization.create": (event, { plans, names, docs }) => {
        expectTypeOf(event.spec).toEqualTypeOf<{ readonly plan: "free" | "team" }>();
        expectTypeOf(plans.put).parameter(1).toEqualTypeOf<Readonly<Record<"plan", string>>>();
        expectTypeOf(names.set).parameter(1).toEqualTypeOf<string>();
        expectTypeOf(docs.get("a")).toEqualTypeOf<{ readonly n: number } | undefined>();
      },
      "organization.create.quota": (event) => expectTypeOf(event.spec).toEqualTypeOf<JsonObject>(),
    },
  });
  type Tables = typeof declared;
  expectTypeOf<RowOf<Tables["plans"]>["sums"]["seats"]>().toEqualTypeOf<number>();
  expectTypeOf<RowOf<Tables["names"]>["value"]>().toEqualTypeOf<string>();
  expectTypeOf<TypedQuery<Tables, "plans">["where"]>().toEqualTypeOf<
    Readonly<Partial<Record<"plan", string>>> | undefined
  >();
  expectTypeOf<{ table: "plans"; key: string }>().not.toExtend<TypedQuery<Tables, "plans">>();
  expectTypeOf<{ table: "names"; where: { plan: string } }>().not.toExtend<TypedQuery<Tables, "names">>();
});
