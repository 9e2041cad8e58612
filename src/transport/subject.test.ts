import { describe, expect, test } from "vitest";
import { checkedSubject, matchesSubject, subjectOf } from "./subject.js";

const tenantId = "0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11";

describe("a subject", () => {
  test("names kind, tenant and type, in that order", () => {
    expect(subjectOf({ kind: "fact", tenantId, type: "organization.create.billing" })).toBe(
      `eventplane.fact.${tenantId}.organization.create.billing`,
    );
  });

  test.each([">", "*", "a.>", "a.*.b", "a..b", ".a", "a.", "a b", "a\r\nPUB x 0", "%2e", "", "ä", "x".repeat(300)])(
    "attack 5: cannot be made to escape by %j",
    (type) => {
      expect(() => subjectOf({ kind: "fact", tenantId, type })).toThrow(
        expect.objectContaining({ code: "request_invalid" }),
      );
    },
  );

  test("of one tenant is in no pattern of another", () => {
    const subject = subjectOf({ kind: "fact", tenantId, type: "order.place" });
    expect(matchesSubject(`eventplane.*.${tenantId}.>`, checkedSubject(subject))).toBe(true);
    expect(matchesSubject("eventplane.*.0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a12.>", subject)).toBe(false);
    expect(matchesSubject(`eventplane.${tenantId}.>`, subject)).toBe(false);
    expect(matchesSubject(`${subject}.>`, subject)).toBe(false);
  });
});
