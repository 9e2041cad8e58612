import { setImmediate as turn } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import type { TenantId } from "../kernel/index.js";
import { tenantIdOf } from "./platform/definitions.js";
import { ReadGate } from "./read-gate.js";

const [greedy, modest, third] = [tenantIdOf("greedy"), tenantIdOf("modest"), tenantIdOf("third")];

let gate: ReadGate;
let under: TenantId[];
let ends: (() => void)[];

beforeEach(() => {
  gate = new ReadGate();
  under = [];
  ends = [];
});

function read(tenantId: TenantId): Promise<void> {
  return gate.run(tenantId, () => {
    under.push(tenantId);
    return new Promise<void>((resolve) => ends.push(resolve));
  });
}

async function end(count: number): Promise<void> {
  for (const each of ends.splice(0, count)) each();
  await turn();
}

const begun = (tenantId: TenantId): number => under.filter((each) => each === tenantId).length;

describe("the gate before the store", () => {
  test("leaves room for a tenant beside one that reads without end", async () => {
    const reads = Array.from({ length: 50 }, () => read(greedy));
    expect(begun(greedy)).toBe(3);
    reads.push(read(modest));
    expect(begun(modest)).toBe(1);
    while (ends.length > 0) await end(1);
    await Promise.all(reads);
    expect(begun(greedy)).toBe(50);
  });

  test("lets waiting tenants through in turn, and every read in the end", async () => {
    const reads = [greedy, modest, third].flatMap((tenantId) => Array.from({ length: 20 }, () => read(tenantId)));
    expect(under).toHaveLength(6);
    for (let n = 0; n < 12; n++) await end(1);
    expect([greedy, modest, third].map((tenantId) => begun(tenantId) >= 4)).toEqual([true, true, true]);
    while (ends.length > 0) await end(1);
    await Promise.all(reads);
    expect(under).toHaveLength(60);
  });

  test("goes on after a read that failed", async () => {
    const failing = Array.from({ length: 10 }, () => gate.run(greedy, () => Promise.reject(new Error("away"))));
    expect((await Promise.allSettled(failing)).map(({ status }) => status)).toEqual(Array(10).fill("rejected"));
    expect(await gate.run(greedy, async () => 1)).toBe(1);
  });

  test("refuses a tenant's reads as busy when too many wait, and nobody else's", async () => {
    const reads = Array.from({ length: 1_003 }, () => read(greedy));
    await expect(read(greedy)).rejects.toMatchObject({ code: "busy" });
    reads.push(read(modest));
    expect(begun(modest)).toBe(1);
    while (ends.length > 0) await end(100);
    await Promise.all(reads);
  });
});
