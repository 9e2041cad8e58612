import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TenantId } from "../kernel/index.js";
import { type DerivedIdParts, derivedEventId, seededRandom } from "./derived.js";

const parts: fc.Arbitrary<DerivedIdParts> = fc.record({
  tenantId: fc.uuid() as fc.Arbitrary<string> as fc.Arbitrary<TenantId>,
  originId: fc.uuid(),
  component: fc.stringMatching(/^[a-z][a-z0-9:-]{0,20}$/),
  basisVersion: fc.nat(),
  step: fc.nat(20),
});

describe("derived ids", () => {
  test("are the same for the same parts and differ as soon as one differs", () => {
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        expect(derivedEventId({ ...one })).toBe(derivedEventId(one));
        for (const key of Object.keys(one) as (keyof DerivedIdParts)[]) {
          if (one[key] === other[key]) continue;
          expect(derivedEventId({ ...one, [key]: other[key] } as DerivedIdParts)).not.toBe(derivedEventId(one));
        }
      }),
    );
  });

  test("a component and its neighbour fields cannot run into each other", () => {
    const base = {
      tenantId: "35ef1c25-ccc6-437f-8859-408811bdce5b" as TenantId,
      originId: "35ef1c25-ccc6-737f-8859-408811bdce5b",
    };
    const ids = ["a", "a\u0000", "a\u0000\u0000"].map((component) =>
      derivedEventId({ ...base, component, basisVersion: 0, step: 0 }),
    );
    expect(new Set(ids).size).toBe(3);
  });
});

describe("seededRandom", () => {
  test("repeats for the same seed, differs for another, and stays in [0, 1)", () => {
    const draw = (component: string, basisVersion: number): readonly number[] => {
      const random = seededRandom("35ef1c25-ccc6-737f-8859-408811bdce5b", component, basisVersion);
      return Array.from({ length: 200 }, random);
    };
    const drawn = draw("quota", 1);
    expect(draw("quota", 1)).toEqual(drawn);
    expect(draw("quota", 2)).not.toEqual(drawn);
    expect(draw("billing", 1)).not.toEqual(drawn);
    expect(new Set(drawn).size).toBe(200);
    expect(drawn.every((value) => value >= 0 && value < 1)).toBe(true);
    const mean = drawn.reduce((sum, value) => sum + value) / drawn.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.1);
  });
});
