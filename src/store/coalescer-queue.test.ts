import { describe, expect, it } from "vitest";
import type { TenantId } from "../kernel/index.js";
import { CoalescerQueue, type Queued } from "./coalescer-queue.js";

interface Named extends Queued {
  readonly name: string;
}

// The queue never looks into an id.
const tenant = (name: string): TenantId => name as TenantId;
const entry = (tenantName: string, name: string, size: Partial<Queued> = {}): Named => ({
  tenantId: tenant(tenantName),
  name: `${tenantName}${name}`,
  events: 1,
  bytes: 1,
  ...size,
});

function queueOf(
  limits: { tenants?: number; events?: number; bytes?: number },
  entries: readonly Named[],
): CoalescerQueue<Named> {
  const queue = new CoalescerQueue<Named>({ tenants: 64, events: 1000, bytes: 1000, ...limits });
  for (const one of entries) queue.add(one);
  return queue;
}

const names = (entries: readonly Named[]): readonly string[] => entries.map(({ name }) => name);

describe("CoalescerQueue", () => {
  it("gives every tenant its share of a call, then what is left in turns, each tenant's oldest first", () => {
    const deep = Array.from({ length: 10 }, (_, index) => entry("a", `${index}`));
    const queue = queueOf({ events: 6 }, [...deep, entry("b", "0"), entry("c", "0")]);
    expect(names(queue.take())).toEqual(["a0", "a1", "a2", "a3", "b0", "c0"]);
    expect(queue.length).toBe(6);
  });

  it("does not let a deep queue keep the others out of a call", () => {
    const deep = Array.from({ length: 100 }, (_, index) => entry("a", `${index}`));
    const queue = queueOf({ events: 6 }, [...deep, ...["b", "c", "d", "e", "f"].map((name) => entry(name, "0"))]);
    expect(names(queue.take())).toEqual(["a0", "b0", "c0", "d0", "e0", "f0"]);
  });

  it("takes nothing more of a tenant until it is released, and then at the end of the line", () => {
    const queue = queueOf({ tenants: 1, events: 1 }, [
      entry("a", "0"),
      entry("a", "1"),
      entry("b", "0"),
      entry("b", "1"),
    ]);
    expect(names(queue.take())).toEqual(["a0"]);
    expect(names(queue.take())).toEqual(["b0"]);
    expect(names(queue.take())).toEqual([]);
    queue.release(tenant("b"));
    queue.release(tenant("a"));
    queue.add(entry("c", "0"));
    expect([queue.take(), queue.take(), queue.take()].map(names)).toEqual([["b1"], ["a1"], ["c0"]]);
  });

  it("keeps those who had no room at the front of the line", () => {
    const queue = queueOf({ events: 10 }, [entry("a", "0"), entry("b", "0", { events: 10 }), entry("c", "0")]);
    expect(names(queue.take())).toEqual(["a0", "c0"]);
    queue.add(entry("d", "0"));
    expect(names(queue.take())).toEqual(["b0"]);
    expect(names(queue.take())).toEqual(["d0"]);
  });

  it("never lets a later append of a tenant overtake one that has no room", () => {
    const queue = queueOf({ events: 4 }, [
      entry("a", "0", { events: 2 }),
      entry("a", "1", { events: 3 }),
      entry("a", "2"),
    ]);
    expect(names(queue.take())).toEqual(["a0"]);
    queue.release(tenant("a"));
    expect(names(queue.take())).toEqual(["a1", "a2"]);
  });

  it("lets an append that is larger than a call go alone", () => {
    const queue = queueOf({ bytes: 100 }, [entry("a", "0", { bytes: 500 }), entry("b", "0")]);
    expect(names(queue.take())).toEqual(["a0"]);
    expect(names(queue.take())).toEqual(["b0"]);
  });

  it("counts what waits, through removals and clear", () => {
    const [one, two] = [entry("a", "0", { bytes: 5 }), entry("a", "1", { bytes: 7 })];
    const queue = queueOf({}, [one, two, entry("b", "0", { bytes: 1 })]);
    expect([queue.length, queue.bytes]).toEqual([3, 13]);
    expect([queue.remove(one), queue.remove(one)]).toEqual([true, false]);
    expect([queue.length, queue.bytes]).toEqual([2, 8]);
    expect(queue.remove(two)).toBe(true);
    expect(names(queue.clear())).toEqual(["b0"]);
    expect([queue.length, queue.bytes, queue.take()]).toEqual([0, 0, []]);
  });
});
