/** What the main thread tells of itself in shared memory, and the application with marks in it. */
import { expect, test } from "vitest";
import { defineAggregate, defineApp, defineController, done } from "../../controller/index.js";
import { foldDigest } from "../../event/index.js";
import { defineWorker } from "../../worker/index.js";
import { type Activity, LoopMarks, loopState } from "./loop-marks.js";
import { markedApp, markedFolds } from "./marked-app.js";
import { monotonicMs } from "./process-wide.js";

function createMarks(heldMsMin = 1_000) {
  const held: { readonly activity: Activity; readonly ms: number }[] = [];
  const marks = new LoopMarks({ heldMsMin, onHeld: (one) => void held.push(one) });
  return { marks, held, state: () => loopState(marks.memory) };
}

test("what runs is named with its beginning, and nothing is once it has returned or thrown", () => {
  const { marks, state } = createMarks();
  const activity = { role: "controller", name: "quota", aggregateType: "organization", aggregateId: "acme-é" } as const;
  expect(state()).toMatchObject({ activity: undefined, beatMs: 0 });
  const beforeMs = monotonicMs();
  marks.run(activity, () => {
    expect(state().activity).toEqual(activity);
    expect(state().sinceMs).toBeGreaterThanOrEqual(beforeMs);
  });
  expect(state().activity).toBeUndefined();
  expect(() =>
    marks.run(activity, () => {
      throw new TypeError("x");
    }),
  ).toThrow(TypeError);
  expect(state().activity).toBeUndefined();
});

test("a beat says when the loop turned", () => {
  const { marks, state } = createMarks();
  const beforeMs = monotonicMs();
  marks.beat();
  expect(state().beatMs).toBeGreaterThanOrEqual(beforeMs);
  expect(state().isInspected).toBe(false);
});

test("what was held long is told afterwards; what returns a promise holds nothing while that is open", async () => {
  const { marks, held } = createMarks(20);
  marks.run({ role: "guard", name: "organization" }, () => undefined);
  const open = marks.run({ role: "worker", name: "mail" }, () => new Promise((resolve) => setTimeout(resolve, 60)));
  await open;
  expect(held).toEqual([]);
  marks.run({ role: "guard", name: "organization" }, () => {
    const endMs = monotonicMs() + 30;
    while (monotonicMs() < endMs);
  });
  expect(held).toMatchObject([{ activity: { role: "guard", name: "organization" } }]);
  expect(held[0]?.ms).toBeGreaterThanOrEqual(30);
});

test("a label that is too long names nobody and breaks nothing", () => {
  const { marks, state } = createMarks();
  marks.run({ role: "controller", name: "x".repeat(5_000) }, () => expect(state().activity).toBeUndefined());
});

test("a marked application folds, decides and calls as before, each under its own name", async () => {
  const { marks, state } = createMarks();
  const seen: (Activity | undefined)[] = [];
  const see = <Value>(value: Value): Value => {
    seen.push(state().activity);
    return value;
  };
  const schema = { type: "object", properties: { plan: { type: "string" } } } as const;
  const organization = defineAggregate("organization", {
    spec: schema,
    intents: { create: { creates: true }, put: { schema, fold: (_spec, intentSpec) => see(intentSpec) } },
    guard: () => see("no"),
  });
  const quota = defineController({ name: "quota", watches: organization, reconcile: () => see(done({ n: 1 })) });
  const mail = defineWorker({ name: "mail", input: schema, output: schema, run: () => see({ plan: "x" }) });
  const app = defineApp({ aggregates: [organization], controllers: [quota], workers: [mail] });
  const [marked, folding] = [markedApp(app, marks), markedFolds(app, marks)];

  const aggregate = folding.aggregates.get("organization");
  const fold = aggregate?.intents.get("organization.put")?.fold;
  expect(typeof fold === "function" && fold({ plan: "a" }, { plan: "b" })).toEqual({ plan: "b" });
  expect(aggregate?.guard?.(undefined, { type: "organization.put", spec: {} })).toBe("no");
  const resource = { tenantId: "t", aggregateType: "organization", aggregateId: "acme" };
  expect(marked.controllers.get("quota")?.reconcile({ resource } as never)).toEqual(done({ n: 1 }));
  const call = { input: {}, idempotencyKey: "k", signal: new AbortController().signal };
  expect(await marked.workers.get("mail")?.run(call)).toEqual({ plan: "x" });
  expect(seen).toEqual([
    { role: "fold", name: "organization" },
    { role: "guard", name: "organization" },
    { role: "controller", name: "quota", ...resource },
    { role: "worker", name: "mail" },
  ]);
  // Look-ups know an aggregate by its identity.
  expect(marked.aggregates.get("organization")).toBe(organization.definition);
  // Snapshots made with the one are those of the other.
  const [one, other] = [app, folding].map(({ aggregates }) =>
    foldDigest(aggregates.get("organization")).toString("hex"),
  );
  expect(other).toBe(one);
});
