import { validate } from "@cedar-policy/cedar-wasm/nodejs";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isUuid, PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import { type Grant, grantNames } from "../principal.js";
import { Authorizer } from "./authorizer.js";
import { basePolicies } from "./base-policies.js";
import { Cedar } from "./cedar.js";
import { cedarSchema, entitiesOf } from "./entities.js";
import { basePolicySet, type PolicySet, policySetOf } from "./policy-set.js";
import { type Action, type Asker, actionNames, type ResourceClass, type Ruling } from "./ruling.js";

const own = "01900000-0000-7000-8000-00000000000a" as TenantId;
const other = "01900000-0000-7000-8000-00000000000b" as TenantId;
const tenants = [own, other, PLATFORM_TENANT_ID];
const classes: readonly ResourceClass[] = [
  "tenant",
  "type:organization.create",
  "aggregate:organization",
  "projection:by-plan",
  "area:keys",
];
const grantSets: readonly (readonly Grant[])[] = Array.from({ length: 2 ** grantNames.length }, (_, bits) =>
  grantNames.filter((_name, index) => (bits >> index) % 2 === 1),
);
const principal = (tenantId: TenantId, ...grants: readonly Grant[]): Asker => ({
  type: "service",
  id: "p",
  tenantId,
  grants: new Set(grants),
});

let cedar: Cedar;
let set: PolicySet;
let asked: number;
let failures: string[];
let authorizer: Authorizer;

beforeAll(() => {
  cedar = new Cedar();
});
beforeEach(() => {
  set = basePolicySet;
  asked = 0;
  failures = [];
  const counted = {
    decide: (...question: Parameters<Cedar["decide"]>) => {
      asked++;
      return cedar.decide(...question);
    },
  } as Cedar; // the authorizer calls nothing else
  const report = (failure: string): void => void failures.push(failure);
  authorizer = new Authorizer({ cedar: counted, policies: { policySet: () => set }, report });
});

const rule = (who: Asker, action: Action, tenantId: TenantId, resource: ResourceClass = "tenant"): Ruling =>
  authorizer.rule(who, action, { tenantId, resource });

/** What the four grants have always meant, said without Cedar. */
function meant({ grants, tenantId: home }: Asker, action: Action, tenantId: TenantId): readonly string[] {
  const isOwn = home === tenantId;
  const isPlatform = tenantId === PLATFORM_TENANT_ID;
  const cases: readonly (readonly [string, boolean])[] = [
    ["publishers-publish", action === "PublishIntent" && grants.has("publisher") && isOwn && !isPlatform],
    ["readers-read", action === "Read" && grants.has("reader") && isOwn],
    ["subscribers-subscribe", action === "Subscribe" && grants.has("subscriber") && isOwn],
    ["admins-administer-their-tenant", action === "Administer" && grants.has("admin") && isOwn],
    ["platform-admins-administer", action === "Administer" && grants.has("admin") && home === PLATFORM_TENANT_ID],
  ];
  return cases.flatMap(([name, holds]) => (holds ? [name] : [])).sort();
}

describe("the base policies", () => {
  test("let a source publish facts in its own tenant, and nothing else, whatever grants it had", () => {
    const source = { ...principal(own, "publisher", "admin"), type: "source" };
    expect(rule({ ...source, grants: new Set() }, "PublishFact", own).policies).toEqual(["sources-publish-facts"]);
    for (const tenantId of [other, PLATFORM_TENANT_ID])
      expect(rule(source, "PublishFact", tenantId).allowed).toBe(false);
    for (const action of ["PublishIntent", "Read", "Subscribe", "Administer"] as const)
      expect(rule({ ...source, grants: new Set() }, action, own).allowed).toBe(false);
    const platform = { ...source, tenantId: PLATFORM_TENANT_ID, grants: new Set<Grant>() };
    expect(rule(platform, "PublishFact", PLATFORM_TENANT_ID).allowed).toBe(false);
  });

  test("give every set of grants, action, tenant and class of resource what the grants mean", () => {
    let questions = 0;
    for (const grants of grantSets)
      for (const action of actionNames)
        for (const home of tenants)
          for (const tenantId of tenants)
            for (const resource of classes) {
              const who = principal(home, ...grants);
              const expected = meant(who, action, tenantId);
              const { allowed, policies } = rule(who, action, tenantId, resource);
              expect([allowed, allowed ? policies : []]).toEqual([expected.length > 0, expected]);
              // Without the equality in code the answer is the same: the policies are a fence of their own.
              const verdict = cedar.decide(basePolicySet, entitiesOf({ principal: who, action, tenantId, resource }));
              expect([verdict.allowed, verdict.failure]).toEqual([allowed, undefined]);
              questions++;
            }
    expect(questions).toBe(16 * 5 * 3 * 3 * 5);
    expect(failures).toEqual([]);
  });

  test("fit the schema, which knows a policy that does not", () => {
    const check = (staticPolicies: Record<string, string>): unknown =>
      validate({ schema: cedarSchema, policies: { staticPolicies } });
    expect(check(basePolicies)).toMatchObject({ type: "success", validationErrors: [], validationWarnings: [] });
    const odd = { odd: "permit (principal, action, resource) when { principal.missing };" };
    expect(check(odd)).toMatchObject({ validationErrors: [{ policyId: "odd" }] });
  });

  test("forbid, rather than only not permit, what is another tenant's and what is published into the platform", () => {
    const everything = policySetOf({ ...basePolicies, wide: "permit (principal, action, resource);" });
    for (const action of actionNames) {
      const foreign = { principal: principal(own), action, tenantId: other, resource: "tenant" as const };
      expect(cedar.decide(everything, entitiesOf(foreign))).toEqual({
        allowed: false,
        policies: ["tenants-stay-apart"],
      });
    }
    const intoPlatform = { action: "PublishIntent", tenantId: PLATFORM_TENANT_ID, resource: "tenant" } as const;
    const { policies } = cedar.decide(
      everything,
      entitiesOf({ principal: principal(PLATFORM_TENANT_ID, "admin"), ...intoPlatform }),
    );
    expect(policies).toEqual(["nobody-publishes-into-the-platform"]);
  });
});

describe("a ruling", () => {
  test("across tenants is made in code: the engine is not asked", () => {
    set = policySetOf({ wide: "permit (principal, action, resource);" });
    for (const action of actionNames) {
      expect(rule(principal(own, ...grantNames), action, other)).toMatchObject({ allowed: false, policies: [] });
      expect(rule(principal(own, ...grantNames), action, PLATFORM_TENANT_ID).allowed).toBe(false);
    }
    expect(asked).toBe(0);
    expect(rule(principal(PLATFORM_TENANT_ID), "Read", own).allowed).toBe(false);
    expect(rule(principal(PLATFORM_TENANT_ID), "Administer", own).allowed).toBe(true);
  });

  test("has the same id for the same question, and another for each that differs in anything", () => {
    const ruling = rule(principal(own, "reader", "publisher"), "Read", own);
    expect(rule(principal(own, "publisher", "reader"), "Read", own)).toBe(ruling);
    expect(isUuid(ruling.rulingId)).toBe(true);
    expect(ruling).toMatchObject({ policySetHash: basePolicySet.hash, policies: ["readers-read"] });
    const others = [
      rule(principal(own, "reader"), "Read", own),
      rule(principal(own, "reader", "publisher"), "Subscribe", own),
      rule(principal(own, "reader", "publisher"), "Read", own, "aggregate:organization"),
      rule(principal(own, "reader", "publisher"), "Read", other),
      rule({ ...principal(own, "reader", "publisher"), id: "q" }, "Read", own),
      rule({ ...principal(own, "reader", "publisher"), type: "user" }, "Read", own),
    ];
    set = policySetOf({ ...basePolicies, more: "permit (principal, action, resource);" });
    others.push(rule(principal(own, "reader", "publisher"), "Read", own));
    expect(new Set([ruling, ...others].map(({ rulingId }) => rulingId)).size).toBe(8);
  });

  test("is kept: who could be taken for another by the text of type and id is not", () => {
    rule({ ...principal(own, "reader"), type: "user x", id: "y" }, "Read", own);
    rule({ ...principal(own, "reader"), type: "user", id: "x y" }, "Read", own);
    expect(asked).toBe(2);
    for (let n = 0; n < 3; n++) rule({ ...principal(own, "reader"), type: "user", id: "x y" }, "Read", own);
    expect(asked).toBe(2);
  });

  test("that is asked for again is kept while thousands of others come and go, and the others are forgotten", () => {
    const who = principal(own, "reader");
    const denies = { decide: () => ({ allowed: asked++ < 0, policies: [] }) } as unknown as Cedar; // all that is called
    authorizer = new Authorizer({ cedar: denies, policies: { policySet: () => set }, report: () => undefined });
    for (let n = 0; n < 12_000; n++) {
      rule({ ...who, id: `p${n}` }, "Read", own);
      rule(who, "Read", own);
    }
    expect(asked).toBe(12_001);
    rule({ ...who, id: "p0" }, "Read", own);
    expect(asked).toBe(12_002);
  });
});

describe("whatever fails in the engine denies", () => {
  const broken: readonly (readonly [string, Record<string, string>, RegExp])[] = [
    [
      "a forbid that reads an attribute that is not there",
      { careful: "forbid (principal, action, resource) when { principal.missing };" },
      /^policies erred: careful$/,
    ],
    [
      "a forbid that reads an attribute that this resource has not",
      { careful: 'forbid (principal, action, resource) when { resource.area == "keys" };' },
      /^policies erred: careful$/,
    ],
    ["a text that is no policy", { odd: "permit (principal" }, /^the policy set cannot be read$/],
    ["a text of two policies", { two: "permit (principal, action, resource);".repeat(2) }, /cannot be read/],
    ["a template", { slot: "permit (principal == ?principal, action, resource);" }, /^the policy set cannot be read$/],
  ];

  test.each(broken)("%s", (_name, policies, failure) => {
    const readers = { reads: "permit (principal, action, resource);" };
    set = policySetOf(readers);
    expect(rule(principal(own), "Read", own).allowed).toBe(true);
    set = policySetOf({ ...readers, ...policies });
    expect(rule(principal(own), "Read", own)).toMatchObject({ allowed: false, policies: [] });
    expect(failures).toEqual([expect.stringMatching(failure)]);
  });

  test("a throw, for a question that it cannot take", () => {
    const question = entitiesOf({
      principal: principal(own, "reader"),
      action: "Read",
      tenantId: own,
      resource: "tenant",
    });
    const unreadable = cedar.decide(basePolicySet, { ...question, entities: 7 as never });
    expect(unreadable).toEqual({ allowed: false, policies: [], failure: expect.stringMatching(/./) });
  });
});

describe("parsed policy sets", () => {
  test("are kept for as many as there are places, and parsed again after that, without a mix-up", () => {
    const question = entitiesOf({ principal: principal(own), action: "Read", tenantId: own, resource: "tenant" });
    const sets = Array.from({ length: 600 }, (_, n) =>
      policySetOf({ [`p${n}`]: "permit (principal, action, resource);" }),
    );
    for (const round of [0, 1])
      for (const [n, each] of sets.entries())
        expect([round, cedar.decide(each, question)]).toEqual([round, { allowed: true, policies: [`p${n}`] }]);
  });

  test("of two engines of one process stay apart", () => {
    const another = new Cedar();
    const question = entitiesOf({ principal: principal(own), action: "Read", tenantId: own, resource: "tenant" });
    expect(cedar.decide(policySetOf({ a: "permit (principal, action, resource);" }), question).allowed).toBe(true);
    another.decide(policySetOf({ b: "forbid (principal, action, resource);" }), question);
    expect(cedar.decide(policySetOf({ a: "permit (principal, action, resource);" }), question).policies).toEqual(["a"]);
  });
});
