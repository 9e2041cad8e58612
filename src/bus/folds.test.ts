import fc from "fast-check";
import { beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import { aggregate, type BusEvent, counter, type DeliveryFailure, EventBus, fold, groupBy, latest } from "./index.js";

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

interface Topics {
  "ticket.opened": { readonly team: string; readonly cents: number };
  "ticket.closed": { readonly team: string; readonly cents: number };
}
let bus: EventBus<Topics>;
let failures: DeliveryFailure[];
beforeEach(() => {
  failures = [];
  bus = new EventBus<Topics>({
    unknownTopics: "allow",
    clock: new VirtualClock(),
    onFailure: (failure) => void failures.push(failure),
  });
});
const open = (team: string, cents: number): void => void bus.publish("ticket.opened", { team, cents });

describe("a fold", () => {
  test("counts by topic or by key, from when it was made until it is ended", () => {
    open("early", 1);
    const topics = counter(bus, "ticket.*");
    const teams = counter(bus, "ticket.opened", { key: ({ payload }) => payload.team, name: "teams" });
    open("a", 1);
    open("b", 1);
    open("a", 1);
    void bus.publish("ticket.closed", { team: "a", cents: 1 });
    expect([...topics.snapshot()]).toEqual([
      ["ticket.opened", 3],
      ["ticket.closed", 1],
    ]);
    expect([teams.get("a"), teams.get("b"), teams.get("early"), teams.size]).toEqual([2, 1, undefined, 2]);
    expect(bus.off("teams")).toBe(true);
    open("a", 1);
    expect([teams.get("a"), teams.subscription.status().state]).toEqual([2, "closed"]);
    expect([teams.delete("a"), teams.delete("a"), teams.size]).toEqual([true, false, 1]);
  });

  test("keeps the latest event of each key", () => {
    const kept = latest(bus, "ticket.*", { key: ({ payload }) => payload.team });
    expectTypeOf(kept.get("a")).toEqualTypeOf<
      | BusEvent<"ticket.opened", Topics["ticket.opened"]>
      | BusEvent<"ticket.closed", Topics["ticket.closed"]>
      | undefined
    >();
    open("a", 1);
    open("a", 2);
    open("b", 3);
    expect([...kept.snapshot()].map(([key, event]) => [key, event.payload.cents])).toEqual([
      ["a", 2],
      ["b", 3],
    ]);
  });

  test("groups, folds into one value, and adds up", () => {
    const key = ({ payload }: { readonly payload: { readonly team: string } }): string => payload.team;
    const lists = groupBy(bus, "ticket.opened", {
      key,
      initial: (): number[] => [],
      step: (list, { payload }) => [...list, payload.cents],
    });
    const all = fold(bus, "ticket.opened", { initial: () => 0, step: (sum, { payload }) => sum + payload.cents });
    const sums = aggregate(bus, "ticket.opened", { key, value: ({ payload }) => payload.cents });
    for (const [team, cents] of [
      ["a", 5],
      ["b", 1],
      ["a", -2],
      ["a", 3],
    ] as const)
      open(team, cents);
    expect(Object.fromEntries(lists.snapshot())).toEqual({ a: [5, -2, 3], b: [1] });
    expect(all.value).toBe(7);
    expect(sums.get("a")).toEqual({ count: 3, sum: 6, minimum: -2, maximum: 5, mean: 2 });
    expect(sums.get("c")).toBeUndefined();
  });

  test("defect C10: is kept while events come; reading it looks at none of them again", () => {
    let steps = 0;
    const kept = groupBy(bus, "ticket.opened", {
      key: ({ payload }) => payload.team,
      initial: () => 0,
      step: (count) => {
        steps++;
        return count + 1;
      },
    });
    for (let n = 0; n < 1_000; n++) open(`team-${n % 10}`, 1);
    for (let n = 0; n < 1_000; n++) expect(kept.get("team-3")).toBe(100);
    expect([kept.snapshot().size, steps]).toEqual([10, 1_000]);
    const snapshot = kept.snapshot();
    open("team-3", 1);
    expect([snapshot.get("team-3"), kept.get("team-3"), steps]).toEqual([100, 101, 1_001]);
  });

  test("keeps a bounded number of keys, and counts what is beyond", () => {
    const kept = counter(bus, "ticket.opened", { key: ({ payload }) => payload.team, keysMax: 2 });
    for (const team of ["a", "b", "c", "a", "d", "c"]) open(team, 1);
    expect([[...kept.snapshot()], kept.size, kept.beyond]).toEqual([
      [
        ["a", 2],
        ["b", 1],
      ],
      2,
      3,
    ]);
    kept.delete("a");
    open("c", 1);
    expect([kept.get("c"), kept.beyond]).toEqual([1, 3]);
    for (const keysMax of [0, 1.5, 1_000_001])
      expect(() => counter(bus, "ticket.opened", { keysMax })).toThrow(coded("config_invalid"));
  });

  test("whose key or step throws has failed for that event, keeps its value, and goes on", () => {
    const kept = groupBy(bus, "ticket.opened", {
      name: "picky",
      key: ({ payload }) => (payload.team === "long" ? "x".repeat(257) : payload.team),
      initial: () => 0,
      step: (sum, { payload }) => {
        if (payload.cents < 0) throw new Error("negative");
        return sum + payload.cents;
      },
    });
    const sums = aggregate(bus, "ticket.opened", { name: "sums", value: ({ payload }) => payload.cents });
    for (const [team, cents] of [
      ["a", 1],
      ["a", -1],
      ["long", 1],
      ["new", -1],
      ["a", 2],
    ] as const)
      open(team, cents);
    open("a", Number.POSITIVE_INFINITY);
    expect([[...kept.snapshot()], kept.subscription.status().failed]).toEqual([[["a", Number.POSITIVE_INFINITY]], 3]);
    expect(sums.get("ticket.opened")).toMatchObject({ count: 5, sum: 2 });
    expect(failures.map(({ subscription }) => subscription)).toEqual(["picky", "picky", "picky", "sums"]);
  });

  test("is what a scan of all events would give, whatever comes and goes", () => {
    const event = fc.record({ team: fc.constantFrom("a", "b", "c", "d"), cents: fc.integer({ min: -9, max: 9 }) });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const other = new EventBus<Topics>({ unknownTopics: "allow", clock: new VirtualClock() });
        const key = ({ payload }: { readonly payload: Topics["ticket.opened"] }): string => payload.team;
        const counts = counter(other, "ticket.opened", { key, keysMax: 3 });
        const sums = aggregate(other, "ticket.opened", { key, value: ({ payload }) => payload.cents });
        for (const payload of events) void other.publish("ticket.opened", payload);
        const teams = [...new Set(events.map(({ team }) => team))];
        const ofTeam = (name: string): number[] => events.filter(({ team }) => team === name).map(({ cents }) => cents);
        expect([...counts.snapshot()]).toEqual(teams.slice(0, 3).map((name) => [name, ofTeam(name).length]));
        expect(counts.beyond).toBe(teams.slice(3).flatMap(ofTeam).length);
        for (const name of teams)
          expect(sums.get(name)).toMatchObject({
            count: ofTeam(name).length,
            sum: ofTeam(name).reduce((sum, cents) => sum + cents, 0),
            minimum: Math.min(...ofTeam(name)),
            maximum: Math.max(...ofTeam(name)),
          });
      }),
    );
  });
});
