import { describe, expect, it } from "vitest";
import type { Event } from "../../event/index.js";
import { plain } from "../terminal.js";
import { Progress } from "./progress.js";

let atMs = 0;

function event(parts: {
  type: string;
  kind?: string;
  component?: string;
  finalizers?: Record<string, boolean>;
  spec?: object;
  afterMs?: number;
}): Event {
  atMs += parts.afterMs ?? 1;
  const finalizers = Object.entries(parts.finalizers ?? {}).map(([name, completed]) => [
    name,
    { completed, observedGeneration: 1 },
  ]);
  return {
    type: parts.type,
    kind: parts.kind ?? "fact",
    spec: parts.spec ?? {},
    finalizers: Object.fromEntries(finalizers),
    recordedAt: new Date(atMs).toISOString(),
    ...(parts.component === undefined ? {} : { decision: { component: parts.component } }),
  } as unknown as Event; // the members that are looked at
}

const intent = (): Event =>
  event({ type: "organization.create", kind: "intent", finalizers: { quota: false, billing: false } });

describe("the way to rest", () => {
  it("begins Pending, before any event", () => {
    const progress = new Progress("organization/a");
    expect(progress.line(plain)).toBe("organization/a  Pending");
    expect(progress.settlement).toBeUndefined();
  });

  it("shows who is done, who waits, and how long one waited", () => {
    const progress = new Progress("organization/a");
    progress.take(intent());
    progress.take(event({ type: "organization.create.quota", component: "quota", finalizers: { quota: true } }));
    progress.take(event({ type: "organization.create.billing", component: "billing", finalizers: { billing: false } }));
    expect(progress.line(plain)).toBe("organization/a  Pending → Progressing (quota ✓ billing: waiting)");
    progress.take(
      event({ type: "organization.create.billing", component: "billing", finalizers: { billing: true }, afterMs: 200 }),
    );
    progress.take(event({ type: "organization.ready", component: "runtime" }));
    expect(progress.line(plain)).toBe("organization/a  Pending → Progressing (quota ✓ billing ✓ after 200 ms) → Ready");
    expect(progress.settlement).toBe("ready");
  });

  it("shows for which worker one waits, and ends when nobody knows what became of its call", () => {
    const progress = new Progress("organization/a");
    progress.take(intent());
    const spec = { controller: "billing", worker: "customer", input: {} };
    progress.take(event({ type: "organization.effect-asked", component: "ask:customer", spec }));
    progress.take(event({ type: "organization.create.billing", component: "billing", finalizers: { billing: false } }));
    expect(progress.line(plain)).toBe(
      "organization/a  Pending → Progressing (quota: waiting billing: waiting for customer)",
    );
    progress.take(event({ type: "organization.effect-unknown", component: "unknown:customer" }));
    expect(progress.settlement).toBe("held");
    expect(progress.line(plain)).toContain("Pending → Progressing (");
  });

  it.each([
    ["organization.deleted", "runtime", "deleted"],
    ["organization.rejected", "quota", "rejected"],
    ["organization.dead-lettered", "dead-letter:quota", "stalled"],
  ] as const)("ends with %s", (type, component, settlement) => {
    const progress = new Progress("organization/a");
    progress.take(intent());
    progress.take(event({ type, component }));
    expect(progress.settlement).toBe(settlement);
  });

  it("begins anew with a newer intent", () => {
    const progress = new Progress("organization/a");
    progress.take(intent());
    progress.take(event({ type: "organization.ready", component: "runtime" }));
    progress.take(intent());
    expect(progress.settlement).toBeUndefined();
    expect(progress.line(plain)).toContain("Pending");
  });

  it("makes names from outside harmless", () => {
    expect(new Progress("organization/\u001b[2J").line(plain)).toBe("organization/\\e[2J  Pending");
  });
});
