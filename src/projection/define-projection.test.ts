/** What may be declared, and the types that follow. */
import { describe, expect, expectTypeOf, test } from "vitest";
import { isEventplaneError, type JsonObject } from "../kernel/index.js";
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
/** The codes of what defining each of them throws. */
function codes(...defines: readonly (() => unknown)[]): readonly unknown[] {
  return defines.map((define) => {
    try {
      define();
      return undefined;
    } catch (error) {
      return isEventplaneError(error) ? error.code : error;
    }
  });
}
const refused = (count: number): readonly string[] => Array.from({ length: count }, () => "config_invalid");

describe("a declaration is refused", () => {
  test.each(["", "Plans", "1st", "by-plan", "x".repeat(41), "plan;drop"])(
    "whose name is no name in SQL: %s",
    (name) => {
      const named = codes(
        () => defineProjection({ name, tables, apply }),
        () => defineProjection({ name: "plans", tables: { [name]: counter() }, apply }),
      );
      expect(named).toEqual(refused(2));
    },
  );

  test.each(["a_rows", "a_totals", "a_across_tenants"])("with a table called %s", (name) => {
    expect(codes(() => defineProjection({ name: "plans", tables: { [name]: counter() }, apply }))).toEqual(refused(1));
  });

  test("with a version that is none, without tables or with too many, or without anything to apply", () => {
    const versions = [0, -1, 1.5, 2 ** 31].map(
      (version) => () => defineProjection({ name: "plans", version, tables, apply }),
    );
    expect(codes(...versions)).toEqual(refused(4));
    const many: DeclaredTables = Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`t${n}`, counter()]));
    const others = codes(
      () => defineProjection({ name: "plans", tables: {}, apply }),
      () => defineProjection({ name: "plans", tables: many, apply }),
      () => defineProjection({ name: "plans", tables, apply: {} }),
      () => defineProjection({ name: "plans", tables, apply: { "Not A Type": () => undefined } }),
    );
    expect(others).toEqual(refused(4));
  });

  test("with a type of an aggregate that it does not read from", () => {
    const from = [{ definition: { name: "project" } }] as const;
    expect(codes(() => defineProjection({ name: "plans", from, tables, apply }))).toEqual(refused(1));
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
    expect(codes(() => groupBy({ by, sums }))).toEqual(refused(1));
  });

  test("with a schema that cannot be used", () => {
    const schemas = codes(
      () => latest({ type: "object", default: {} }),
      () => documents({ type: "nothing" }),
    );
    expect(schemas).toEqual(refused(2));
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
