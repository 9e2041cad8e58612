import { Type } from "typebox";
import { describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import type { Decision } from "../event/index.js";
import type { JsonObject } from "../kernel/index.js";
import type { MessageOf, SpecOf } from "./aggregate-types.js";
import { blocked, done, pending, reject } from "./decisions.js";
import { defineAggregate } from "./define-aggregate.js";
import { type App, defineApp } from "./define-app.js";
import { defineController } from "./define-controller.js";

const Plan = z.enum(["free", "team"]);
const organization = defineAggregate("organization", {
  spec: z.object({ name: z.string().max(80), plan: Plan, region: z.enum(["eu", "us"]).optional() }),
  status: { quota: z.object({ members: z.int() }), billing: z.object({ customerId: z.string() }) },
  intents: {
    create: { creates: true },
    "change-plan": { schema: z.object({ plan: Plan }) },
    rename: {},
    delete: { deletes: true },
  },
  guard: (resource, intent) =>
    resource?.spec.plan === "free" && intent.type === "organization.rename" ? "No." : undefined,
});
const app = defineApp({ aggregates: [organization] });
type Message = typeof app extends App<infer M> ? M : never;
declare function publish(message: Message): void;

const limits = { free: 3, team: 25 };

/** Compiled, never run: each line marked must be an error of tsc, and that very line. */
export function mistakes(): void {
  organization.create({ name: "Acme", plan: "team" });
  organization.changePlan("o-1", { plan: "team" });
  organization.rename("o-1", { name: "Acme AG", region: null });
  organization.delete("o-1");
  publish(organization.changePlan("o-1", { plan: "team" }));
  publish({ type: "organization.change-plan", aggregateId: "o-1", spec: { plan: "team" } });

  // @ts-expect-error a plan that does not exist
  organization.create({ name: "Acme", plan: "gold" });
  // @ts-expect-error a member that does not exist
  organization.create({ name: "Acme", plan: "team", colour: "red" });
  // @ts-expect-error a plan that does not exist
  publish(organization.changePlan("o-1", { plan: "gold" }));
  // @ts-expect-error a misspelt maker
  organization.chnagePlan("o-1", { plan: "team" });
  // @ts-expect-error a misspelt type
  publish({ type: "organization.change-plna", aggregateId: "o-1", spec: { plan: "team" } });
  // @ts-expect-error another type's spec
  publish({ type: "organization.create", spec: { plan: "team" } });
  // @ts-expect-error name is required and cannot be removed
  organization.rename("o-1", { name: null });

  defineController({
    name: "quota",
    watches: organization,
    // @ts-expect-error a status of the wrong type
    reconcile: ({ resource }) => done({ members: resource.spec.name }),
  });
  defineController({
    name: "quota",
    watches: organization,
    reconcile({ resource }) {
      if (resource.spec.plan === "free") return pending({ requeueAfterMs: 200 });
      if (resource.spec.name === "") return reject("NoName", "An organization needs a name.");
      if (resource.spec.name === "x") return blocked("Short", "Too short.");
      if (resource.status.quota?.members === 3) return done();
      // @ts-expect-error a status of the wrong type, in a body with several returns
      return done({ members: "25" });
    },
  });
  defineController({
    name: "quota",
    watches: organization,
    reconcile({ resource }) {
      // @ts-expect-error a status of another controller
      if (resource.generation > 1) return done({ customerId: "c-1" });
      // @ts-expect-error a spec member that does not exist
      return done({ members: limits[resource.spec.plam] });
    },
  });
  defineController({
    name: "quota",
    watches: organization,
    // @ts-expect-error a status of the wrong type, in a reconcile that takes nothing
    reconcile: () => done({ members: "25" }),
  });
  defineController({
    name: "quota",
    watches: organization,
    // @ts-expect-error a misspelt status, in a reconcile that takes nothing
    reconcile: () => pending({ status: { membres: 25 } }),
  });
  defineController({
    name: "quota",
    watches: organization,
    reconcile: ({ resource }) => {
      // @ts-expect-error the origin with its stamp is not for controllers
      resource.origin;
      return [pending(), done({ members: limits[resource.spec.plan] })];
    },
  });
}

describe("types follow from schemas", () => {
  test("a zod spec types the intents and the resource", () => {
    expectTypeOf<SpecOf<typeof organization>>().toEqualTypeOf<{
      name: string;
      plan: "free" | "team";
      region?: "eu" | "us" | undefined;
    }>();
    expectTypeOf<MessageOf<typeof organization>["type"]>().toEqualTypeOf<
      "organization.create" | "organization.change-plan" | "organization.rename" | "organization.delete"
    >();
    expect(organization.changePlan("o-1", { plan: "team" })).toEqual({
      type: "organization.change-plan",
      aggregateId: "o-1",
      spec: { plan: "team" },
    });
  });

  test("a TypeBox spec types the intents", () => {
    const house = defineAggregate("house", {
      spec: Type.Object({
        street: Type.String(),
        rooms: Type.Optional(Type.Array(Type.Object({ size: Type.Integer() }))),
        kind: Type.Union([Type.Literal("hut"), Type.Literal("villa")]),
        plan: Type.Object({}, { additionalProperties: true }),
        labels: Type.Record(Type.String(), Type.Integer()),
        owner: Type.Union([Type.String(), Type.Null()]),
      }),
      intents: { build: { creates: true } },
    });
    expectTypeOf<SpecOf<typeof house>>().toEqualTypeOf<{
      readonly street: string;
      readonly kind: "hut" | "villa";
      readonly plan: JsonObject;
      readonly labels: { readonly [key: string]: number };
      readonly owner: string | null;
      readonly rooms?: readonly { readonly size: number }[];
    }>();
    const rejected = (): unknown =>
      // @ts-expect-error a kind that does not exist
      house.build({ street: "Elm", kind: "tent", plan: {}, labels: {}, owner: null });
    expect(rejected).toBeTypeOf("function");
  });

  test("a plain JSON Schema types the intents, without `as const`", () => {
    const pet = defineAggregate("pet", {
      spec: {
        type: "object",
        properties: {
          name: { type: "string" },
          legs: { enum: [2, 4] },
          tags: { type: "object", additionalProperties: { type: "string" } },
        },
        required: ["name"],
      },
      intents: { adopt: { creates: true }, put: { replaces: true, expectedVersion: "any" } },
    });
    expectTypeOf<SpecOf<typeof pet>>().toEqualTypeOf<{
      readonly name: string;
      readonly legs?: 2 | 4;
      readonly tags?: { readonly [key: string]: string };
    }>();
    expect(pet.put("rex", { name: "Rex" })).toEqual({ type: "pet.put", aggregateId: "rex", spec: { name: "Rex" } });
  });

  test("a decision without a context of its own takes any object, and then has its type", () => {
    expectTypeOf(done({ members: 1 })).toExtend<Decision<{ members: number }>>();
    expectTypeOf(done({ plan: "free", tags: ["a"] })).toExtend<Decision<{ plan: "free" | "team"; tags: string[] }>>();
    expectTypeOf(done({ members: "1" })).not.toExtend<Decision<{ members: number }>>();
    defineController({ name: "quota", watches: organization, reconcile: () => done({ members: 1 }) });
    expect(done({ members: 1 })).toEqual({ outcome: "completed", status: { members: 1 } });
  });
});
