import { describe, expect, test } from "vitest";
import { isUuid, PLATFORM_TENANT_ID, type TenantId } from "../kernel/index.js";
import { type Action, builtInPolicySetHash, type Grant, grantNames, type Principal, rule } from "./rules.js";

const own = "01900000-0000-7000-8000-00000000000a" as TenantId;
const other = "01900000-0000-7000-8000-00000000000b" as TenantId;
const actions: readonly Action[] = ["PublishIntent", "Read", "Subscribe", "Administer"];
const principal = (tenantId: TenantId, ...grants: Grant[]): Principal => ({
  type: "service",
  id: "p",
  tenantId,
  grants: new Set(grants),
});
const allowed = (who: Principal, tenantId: TenantId): Action[] =>
  actions.filter((action) => rule(who, action, tenantId).allowed);

describe("the built-in rules", () => {
  test("give each grant its one action in its own tenant", () => {
    expect(allowed(principal(own, "publisher"), own)).toEqual(["PublishIntent"]);
    expect(allowed(principal(own, "reader"), own)).toEqual(["Read"]);
    expect(allowed(principal(own, "subscriber"), own)).toEqual(["Subscribe"]);
    expect(allowed(principal(own, "admin"), own)).toEqual(["Administer"]);
  });

  test("deny what no rule allows", () => {
    expect(allowed(principal(own), own)).toEqual([]);
    expect(allowed(principal(own, ...grantNames), other)).toEqual([]);
    expect(allowed(principal(own, ...grantNames), PLATFORM_TENANT_ID)).toEqual([]);
  });

  test("let the platform's admin administer every tenant, but read and publish in none", () => {
    const admin = principal(PLATFORM_TENANT_ID, ...grantNames);
    expect(allowed(admin, own)).toEqual(["Administer"]);
    expect(allowed(admin, PLATFORM_TENANT_ID)).toEqual(["Read", "Subscribe", "Administer"]);
  });

  test("rule the same question under the same id, and another under another", () => {
    const ruling = rule(principal(own, "reader", "publisher"), "Read", own);
    expect(ruling).toEqual(rule(principal(own, "publisher", "reader"), "Read", own));
    expect(isUuid(ruling.rulingId)).toBe(true);
    expect(ruling.policySetHash).toBe(builtInPolicySetHash);
    expect(ruling.policies).toEqual(["readers-read"]);
    const ids = [
      rule(principal(own, "reader"), "Read", own),
      rule(principal(own, "reader", "publisher"), "Subscribe", own),
      ruling,
    ].map(({ rulingId }) => rulingId);
    expect(new Set(ids).size).toBe(3);
  });
});
