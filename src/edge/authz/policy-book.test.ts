import { beforeEach, describe, expect, test } from "vitest";
import type { EventRow } from "../../event/index.js";
import { PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import { Cedar } from "./cedar.js";
import { entitiesOf } from "./entities.js";
import { PolicyBook } from "./policy-book.js";
import { basePolicySet } from "./policy-set.js";
import type { Question } from "./ruling.js";

const acme = "01900000-0000-7000-8000-00000000000a" as TenantId;
const globex = "01900000-0000-7000-8000-00000000000b" as TenantId;
const cedar = new Cedar();

let book: PolicyBook;
let generation: number;

beforeEach(() => {
  book = new PolicyBook();
  generation = 0;
});

const apply = (aggregateId: TenantId, spec: object): void => {
  const row = { aggregateId, specText: JSON.stringify(spec), generation: ++generation, recordedAtUs: 1 };
  book.apply(row as unknown as EventRow); // the book reads nothing else
};
const policy = (id: string): string => `@id("${id}") permit (principal, action, resource);`;
const idsFor = (home: TenantId, tenantId: TenantId): readonly string[] =>
  Object.keys(book.policySet({ tenantId: home }, tenantId).policies).filter((id) => id.includes("/"));

describe("the policies in force", () => {
  test("are the base where nobody applied any, and one object until something changes", () => {
    const set = book.policySet({ tenantId: acme }, acme);
    expect(set.hash).toBe(basePolicySet.hash);
    expect(book.policySet({ tenantId: globex }, globex)).toBe(set);
    apply(acme, { text: policy("mine") });
    expect(book.policySet({ tenantId: globex }, globex)).toBe(set);
    expect(book.policySet({ tenantId: acme }, acme)).toBe(book.policySet({ tenantId: acme }, acme));
  });

  test("of a tenant rule on its own principals alone, those of the platform on all", () => {
    apply(acme, { text: policy("mine") });
    apply(PLATFORM_TENANT_ID, { text: policy("all") });
    expect(idsFor(acme, acme)).toEqual(["platform/all", "tenant/mine"]);
    expect(idsFor(globex, globex)).toEqual(["platform/all"]);
    expect(idsFor(PLATFORM_TENANT_ID, acme)).toEqual(["platform/all"]);
    expect(idsFor(globex, acme)).toEqual(["platform/all"]);
    apply(PLATFORM_TENANT_ID, { text: "" });
    expect(idsFor(acme, acme)).toEqual(["tenant/mine"]);
  });

  test("are as if a candidate were applied, without applying it", () => {
    apply(acme, { text: policy("mine") });
    const candidate = book.with(PLATFORM_TENANT_ID, policy("all"));
    expect(Object.keys(candidate.policySet({ ...asking, tenantId: acme }, acme).policies)).toContain("platform/all");
    expect(Object.keys(candidate.policySet({ ...asking, tenantId: acme }, acme).policies)).toContain("tenant/mine");
    expect(idsFor(acme, acme)).toEqual(["tenant/mine"]);
  });

  test.each([
    ["a text that this edge cannot read", { text: "permit (" }],
    [
      "a text beyond the bounds",
      { text: `@id("deep") permit (principal, action, resource) when { ${"(".repeat(200)}true${")".repeat(200)} };` },
    ],
    ["no text at all", { other: 1 }],
  ])("deny the tenant's own when they are %s; nobody else, and the fold goes on", (_name, spec) => {
    apply(acme, spec);
    expect(decisionOn(acme, acme)).toEqual([false, "the policy set cannot be read"]);
    expect(decisionOn(globex, globex)).toEqual([true, undefined]);
    apply(acme, { text: "" });
    expect(decisionOn(acme, acme)).toEqual([true, undefined]);
  });
});

const asking: Question["principal"] = { type: "service", id: "p", tenantId: acme, grants: new Set(["reader"]) };

function decisionOn(home: TenantId, tenantId: TenantId): readonly [boolean, string | undefined] {
  const principal = { ...asking, tenantId: home };
  const question = entitiesOf({ principal, action: "Read", tenantId, resource: "tenant" });
  const { allowed, failure } = cedar.decide(book.policySet(principal, tenantId), question);
  return [allowed, failure];
}
