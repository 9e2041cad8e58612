import { AssertionError } from "node:assert";
import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { blocked, defineAggregate, defineController, done, pending, reject } from "../controller/index.js";
import { TerminalError } from "../kernel/index.js";
import { defineWorker } from "../worker/index.js";
import { given } from "./index.js";

const Plan = z.enum(["free", "team"]);
const organization = defineAggregate("organization", {
  spec: z.object({ name: z.string().max(80), plan: Plan, seats: z.int().optional() }),
  status: { quota: z.object({ members: z.int() }), billing: z.object({ customerId: z.string() }) },
  intents: {
    create: { creates: true },
    "change-plan": { schema: z.object({ plan: Plan }) },
    delete: { deletes: true },
  },
});
const team = defineAggregate("team", {
  spec: z.object({ name: z.string(), plan: Plan }),
  intents: { create: { creates: true } },
});
const customer = defineWorker({
  name: "billing-customer",
  input: z.object({ name: z.string() }),
  output: z.object({ id: z.string() }),
  run: () => ({ id: "never called" }),
});

const members = { free: 3, team: 25 };
const quota = defineController({
  name: "quota",
  watches: organization,
  reconcile: ({ resource }) => done({ members: members[resource.spec.plan] }),
});
const billing = defineController({
  name: "billing",
  watches: organization,
  reconcile({ resource, effects }) {
    if (resource.lifecycle === "deleting") return done();
    const asked = effects.get(customer, { name: resource.spec.name });
    if (asked.failed) return blocked("BillingRefused", asked.failed.code);
    return asked.ok ? done({ customerId: asked.ok.id }) : pending({ requeueAfterMs: 60_000 });
  },
});
const teams = defineController({ name: "quota", watches: team, reconcile: () => done() });

const seats = defineController({
  name: "quota",
  watches: organization,
  reconcile({ resource, lookup }) {
    const core = lookup(team, "core");
    if (core === undefined)
      return pending({ emit: team.create({ name: resource.spec.name, plan: "free" }, { aggregateId: "core" }) });
    return done({ members: members[core.spec.plan] });
  },
});

/** Compiled, never run: each line marked must be an error of tsc, and that very line. */
export function mistakes(): void {
  // @ts-expect-error a plan that does not exist
  given(organization, { plan: "gold" });
  // @ts-expect-error a member that does not exist
  given(organization, { colour: "red" });
  // @ts-expect-error a status of the wrong type
  given(organization, {}, { status: { quota: { members: "25" } } });
  // @ts-expect-error a status of a controller that reports none
  given(organization, {}, { status: { quotas: { members: 25 } } });
  defineController({
    name: "quota",
    watches: organization,
    // @ts-expect-error a member that the looked-up aggregate does not have
    reconcile: ({ lookup }) => done({ members: lookup(team, "core")?.spec.seats ?? 0 }),
  });
  // @ts-expect-error an intent of another aggregate
  given(organization, {}, { intent: team.create({ name: "Core", plan: "free" }) });
  const teamPlan = given(organization, { plan: "team" });
  // @ts-expect-error a controller of another aggregate
  teamPlan.when(teams);
  // @ts-expect-error a status of the wrong type
  teamPlan.when(quota).then(done({ members: "25" }));
  // @ts-expect-error a status of another controller
  teamPlan.when(quota).then(done({ customerId: "c-1" }));
  // @ts-expect-error a misspelt status in a list of decisions
  teamPlan.when(quota).then([pending(), done({ membres: 25 })]);
  // @ts-expect-error an input of the wrong type
  given(organization, {}).withEffect(customer, { name: 1 }, { pending: true });
  // @ts-expect-error a result of the wrong type
  given(organization, {}).withEffect(customer, { name: "Acme" }, { ok: { id: 1 } });
  // @ts-expect-error an ask with the wrong input
  given(organization, {}).when(billing).asks(customer, { nome: "Acme" });
}

/** What a failing test would print. */
function failure(test: () => void): AssertionError {
  try {
    test();
  } catch (error) {
    if (error instanceof AssertionError) return error;
    throw error;
  }
  throw new Error("it passed");
}

describe("given, when, then", () => {
  test("passes on what the controller decides, with only the members that matter", () => {
    given(organization, { plan: "team" })
      .when(quota)
      .then(done({ members: 25 }));
    given(organization, { plan: "free" })
      .when(quota)
      .then(done({ members: 3 }));
    expect(given(organization, { plan: "free" }).when(quota).decisions).toEqual([
      { outcome: "completed", status: { members: 3 } },
    ]);
  });

  test("fails on another decision, showing both and what it was decided on", () => {
    const error = failure(() => given(organization, { plan: "team" }).when(quota).then(pending()));
    expect(error.message).toBe(
      [
        'Controller quota on organization/given (generation 1, live) with spec {"plan":"team"} and status {} decided otherwise.',
        "  expected  progressing",
        '  got       completed · status {"members":25}',
      ].join("\n"),
    );
    expect(error).toMatchObject({
      expected: { decisions: [{ outcome: "progressing" }], asks: [] },
      actual: { decisions: [{ outcome: "completed", status: { members: 25 } }], asks: [] },
    });
    expect(() =>
      given(organization, { plan: "team" })
        .when(quota)
        .then(done({ members: 3 })),
    ).toThrow(AssertionError);
    expect(() => given(organization, { plan: "team" }).when(quota).then(undefined)).toThrow("expected  nothing");
  });

  test("an ask must be expected, and one that is expected must be made", () => {
    const acme = given(organization, { name: "Acme" });
    acme
      .when(billing)
      .asks(customer, { name: "Acme" })
      .then(pending({ requeueAfterMs: 60_000 }));
    const unsaid = failure(() => acme.when(billing).then(pending({ requeueAfterMs: 60_000 })));
    expect(unsaid.message).toContain('asks billing-customer {"name":"Acme"}');
    expect(unsaid.message).toContain(".asks(worker, input)");
    expect(() =>
      acme
        .when(billing)
        .asks(customer, { name: "Beta" })
        .then(pending({ requeueAfterMs: 60_000 })),
    ).toThrow('asks billing-customer {"name":"Beta"}');
  });

  test("effects are given by worker, input and outcome", () => {
    const acme = given(organization, { name: "Acme" });
    const input = { name: "Acme" };
    acme
      .withEffect(customer, input, { ok: { id: "c-1" } })
      .when(billing)
      .then(done({ customerId: "c-1" }));
    acme
      .withEffect(customer, input, { pending: true })
      .when(billing)
      .then(pending({ requeueAfterMs: 60_000 }));
    const refused = { failed: { code: "card_declined", message: "No." } };
    acme.withEffect(customer, input, refused).when(billing).then(blocked("BillingRefused", "card_declined"));
  });

  test("an intent that deletes begins the deletion", () => {
    const intent = organization.delete("o-1");
    given(organization, { name: "Acme" }, { intent }).when(billing).then(done());
    expect(failure(() => given(organization, {}, { intent }).when(billing).then(pending())).message).toContain(
      "organization/o-1 (generation 2, deleting)",
    );
  });

  test("a controller that rejects, reports and returns a list is compared whole", () => {
    const strict = defineController({
      name: "strict",
      watches: organization,
      reconcile: ({ resource, now }) =>
        resource.spec.seats === 0
          ? reject("NoSeats", now)
          : [pending(), done({ seen: resource.status.quota?.members ?? 0 })],
    });
    const now = "2026-05-01T00:00:00.000000Z";
    given(organization, { seats: 0 }, { now }).when(strict).then(reject("NoSeats", now));
    given(organization, { seats: 1 }, { status: { quota: { members: 25 } } })
      .when(strict)
      .then([pending(), done({ seen: 25 })]);
    expect(() => given(organization, { seats: 0 }, { now }).when(strict).then(reject("NoSeats", "later"))).toThrow(
      "rejected NoSeats: later",
    );
  });

  test("what the controller throws is expected by name, code or message", () => {
    const fails = defineController({
      name: "fails",
      watches: organization,
      reconcile() {
        throw new TerminalError("The region is closed.");
      },
    });
    const closed = given(organization, {}).when(fails);
    closed.thenThrows("TerminalError");
    closed.thenThrows(/region/);
    expect(() => closed.thenThrows("RangeError")).toThrow("which is not like RangeError");
    expect(() => closed.then(done())).toThrow("The region is closed.");
    expect(() => given(organization, { plan: "free" }).when(quota).thenThrows("TerminalError")).toThrow(
      "throws nothing like TerminalError",
    );
  });
});

describe("a reconcile that is not pure", () => {
  const unpure = (reconcile: () => { seen?: number | string }): (() => void) => {
    const controller = defineController({ name: "unpure", watches: organization, reconcile: () => done(reconcile()) });
    return () => given(organization, {}).when(controller).then(done({}));
  };
  const refused = expect.objectContaining({ code: "decision_not_deterministic" });

  test("fails whatever is expected of it: it reads a clock, draws chance, counts its calls, or uses node:crypto", () => {
    let calls = 0;
    expect(unpure(() => ({ seen: Date.now() }))).toThrow(refused);
    expect(unpure(() => ({ seen: Math.random() }))).toThrow(refused);
    expect(unpure(() => ({ seen: calls++ }))).toThrow(refused);
    expect(unpure(() => ({ seen: randomUUID() }))).toThrow(refused);
    expect(unpure(() => ({}))).not.toThrow();
  });
});

describe("what could never be so in a plane", () => {
  const misfit = expect.objectContaining({ code: "schema_violation" });
  const loose = (value: unknown): never => value as never; // past the types, as JavaScript does

  test("a spec, a status, an input or a result that does not fit its schema is refused", () => {
    expect(() => given(organization, loose({ plan: "gold" }))).toThrow(misfit);
    expect(() => given(organization, {}, { status: loose({ quota: { members: "x" } }) })).toThrow(misfit);
    expect(() => given(organization, {}).withEffect(customer, loose({}), { pending: true })).toThrow(misfit);
    expect(() => given(organization, {}).withEffect(customer, { name: "A" }, { ok: loose({}) })).toThrow(misfit);
    expect(() => given(organization, {}, { intent: loose({ type: "organization.nothing" }) }).when(quota)).toThrow(
      expect.objectContaining({ code: "unknown_type" }),
    );
  });

  test("a member that the schema promises and the test left out cannot be read", () => {
    expect(() => given(organization, { name: "Acme" }).when(quota).then(pending())).toThrow(
      "reads plan of the spec, which this test leaves out: give it, as in given(organization, { plan: … })",
    );
  });

  test("a status that the aggregate's schema refuses fails as it would in a plane", () => {
    const wrong = defineController({
      name: "quota",
      watches: organization,
      reconcile: () => loose(done({ members: "x" })),
    });
    expect(() =>
      given(organization, {})
        .when(wrong)
        .then(loose(done({ members: "x" }))),
    ).toThrow(expect.objectContaining({ code: "decision_invalid" }));
  });

  test("a controller of another aggregate, a wrong time and an await are misuses", async () => {
    expect(() => given(organization, {}).when(loose(teams))).toThrow(
      expect.objectContaining({ code: "config_invalid" }),
    );
    const usage = expect.objectContaining({ code: "usage" });
    expect(() =>
      given(organization, { plan: "free" }, { now: "today" })
        .when(quota)
        .then(done({ members: 3 })),
    ).toThrow(usage);
    const awaited = async (): Promise<unknown> => loose(given(organization, { plan: "free" }).when(quota));
    await expect(awaited()).rejects.toMatchObject({ code: "usage" });
  });
});

describe("another resource that is looked up", () => {
  const acme = given(organization, { name: "Acme" });

  test("is there when it was given, and else not", () => {
    acme
      .withResource(given(team, { plan: "team" }, { aggregateId: "core" }))
      .when(seats)
      .then(done({ members: 25 }));
    acme
      .withResource(given(team, { plan: "team" }, { aggregateId: "other" }))
      .when(seats)
      .then(pending({ emit: team.create({ name: "Acme", plan: "free" }, { aggregateId: "core" }) }));
    expect(() => acme.when(seats).then(done({ members: 25 }))).toThrow(/emits .*"team.create"/);
  });

  test("has the spec that it was given: reading more of it fails", () => {
    const reading = defineController({
      name: "quota",
      watches: organization,
      reconcile: ({ lookup }) => done({ members: members[lookup(team, "core")?.spec.plan ?? "free"] }),
    });
    acme
      .withResource(given(team, { name: "Core" }, { aggregateId: "core" }))
      .when(reading)
      .thenThrows(/plan/);
  });

  test("is one of 16 at most", () => {
    const many = (count: number) =>
      defineController({
        name: "quota",
        watches: organization,
        reconcile: ({ lookup }) =>
          done({ members: Array.from({ length: count }, (_, at) => lookup(team, `t-${at}`)).filter(Boolean).length }),
      });
    acme.when(many(16)).then(done({ members: 0 }));
    acme.when(many(17)).thenThrows("decision_invalid");
    expect(acme.when(many(2)).decisions).toHaveLength(1);
  });
});
