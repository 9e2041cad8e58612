/**
 * PostgreSQL against its specification: random calls go to the real database and to the store in memory, and both must
 * give the same outcomes, the same logs and the same reads. fast-check prints seed and path of a failure.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DraftEvent, EventRow } from "../src/event/index.js";
import { systemClock, type TenantId } from "../src/kernel/index.js";
import {
  type Append,
  type AppendItem,
  type AppendOutcome,
  createMemoryStore,
  type ExpectedVersion,
  type LifecycleEffect,
  type LogReader,
  type MemoryStore,
  type ReadQuery,
} from "../src/store/index.js";
import {
  createTestSigner,
  draftDerived,
  draftIntent,
  newDerivedId,
  newEventId,
  newTenantId,
  signAppend,
} from "../src/testing/drafts.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

const tenantsMax = 2;
const streams = ["a", "b"] as const;

/** One event as the generator describes it; `known` takes the event of an earlier item again. */
interface PlannedItem {
  readonly effect: LifecycleEffect;
  readonly stream: number;
  readonly expectedVersion: ExpectedVersion;
  readonly expectedGeneration: number | null;
  readonly spec: number;
  readonly known: { readonly back: number; readonly other: boolean } | null;
}
interface PlannedAppend {
  readonly tenant: number;
  readonly items: readonly PlannedItem[];
}
interface PlannedCall {
  readonly tier: "edge" | "runtime";
  readonly appends: readonly PlannedAppend[];
}

const expectedVersion = fc.oneof(
  { weight: 6, arbitrary: fc.constant<ExpectedVersion>("any") },
  fc.constantFrom<ExpectedVersion>("noStream", "streamExists"),
  fc.integer({ min: 1, max: 6 }),
);
const item = (effects: readonly LifecycleEffect[]): fc.Arbitrary<PlannedItem> =>
  fc.record({
    effect: fc.constantFrom(...effects),
    stream: fc.nat({ max: streams.length - 1 }),
    expectedVersion,
    expectedGeneration: fc.option(fc.nat({ max: 3 }), { freq: 4 }),
    spec: fc.nat({ max: 2 }),
    known: fc.option(fc.record({ back: fc.nat({ max: 8 }), other: fc.boolean() }), { freq: 3 }),
  });
const call = (tier: PlannedCall["tier"], effects: readonly LifecycleEffect[]): fc.Arbitrary<PlannedCall> =>
  fc.record({
    tier: fc.constant(tier),
    appends: fc.array(
      fc.record({
        tenant: fc.nat({ max: tenantsMax - 1 }),
        items: fc.array(item(effects), { minLength: 1, maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 5 },
    ),
  });
const calls = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: call("edge", ["creates", "updates", "deletes", "system"]) },
    { weight: 2, arbitrary: call("runtime", ["derived", "finishes"]) },
  ),
  { minLength: 1, maxLength: 20, size: "max" },
);

const specs = ["{}", '{"n": 1.0}', '{"text":"ä \\u001e \\"\'"}'] as const;

const plainItem: PlannedItem = {
  effect: "creates",
  stream: 0,
  expectedVersion: "any",
  expectedGeneration: null,
  spec: 0,
  known: null,
};
const plain = (tier: PlannedCall["tier"], effect: LifecycleEffect): PlannedCall => ({
  tier,
  appends: [{ tenant: 0, items: [{ ...plainItem, effect }] }],
});
/** A whole life, which chance seldom finds. */
const wholeLife: readonly PlannedCall[] = [
  plain("edge", "creates"),
  plain("edge", "deletes"),
  plain("edge", "updates"),
  plain("runtime", "finishes"),
  plain("edge", "updates"),
  plain("edge", "deletes"),
  plain("edge", "creates"),
];

/** Turns plans into appends; remembers every event it made, so that later plans can send it again. */
class Planner {
  readonly tenants: readonly TenantId[] = Array.from({ length: tenantsMax }, newTenantId);
  readonly #made: Record<PlannedCall["tier"], DraftEvent[]> = { edge: [], runtime: [] };

  appends({ tier, appends }: PlannedCall): readonly Append[] {
    return appends.map(({ tenant, items }) => {
      const tenantId = this.tenants[tenant] ?? newTenantId();
      return { tenantId, items: items.map((planned) => this.#item(planned, { tier, tenantId })) };
    });
  }

  #item(planned: PlannedItem, { tier, tenantId }: { tier: PlannedCall["tier"]; tenantId: TenantId }): AppendItem {
    const { effect, expectedGeneration } = planned;
    const earlier = planned.known === null ? undefined : this.#made[tier].at(-1 - planned.known.back);
    const fresh = this.#draft(planned, tenantId);
    const sameKind = earlier !== undefined && (earlier.kind === "intent") === (fresh.kind === "intent");
    const event = sameKind && earlier.tenantId === tenantId ? again(earlier, planned) : fresh;
    this.#made[tier].push(event);
    return {
      event,
      effect,
      expectedVersion: planned.expectedVersion,
      ...(expectedGeneration === null ? {} : { expectedGeneration }),
    };
  }

  #draft({ effect, stream, spec }: PlannedItem, tenantId: TenantId): DraftEvent {
    const place = { tenantId, aggregateId: streams[stream] ?? "a", specText: specs[spec] ?? "{}" };
    const intent = draftIntent({ ...place, id: newEventId(), type: `organization.${effect}` });
    if (effect === "system") return { ...intent, kind: "fact", type: "organization.noted" };
    if (effect !== "derived" && effect !== "finishes") return intent;
    return draftDerived(intent, { id: newDerivedId(tenantId), causationId: newEventId(), specText: place.specText });
  }
}

/** The same id again, with the same content or with another. */
function again(earlier: DraftEvent, { known, spec }: PlannedItem): DraftEvent {
  if (known?.other !== true) return earlier;
  return earlier.decision === null
    ? { ...earlier, specText: specs[spec] ?? "{}" }
    : { ...earlier, finalizersText: `{"quota":{"completed":false,"observedGeneration":${spec}}}` };
}

/** What must agree: everything but times and what hangs on them. */
function comparableOutcome(outcome: AppendOutcome): unknown {
  if (outcome.result === "refused") return outcome;
  return { ...outcome, receipts: outcome.receipts.map(({ hash: _hash, recordedAt: _at, ...receipt }) => receipt) };
}

function comparableRow(row: EventRow): unknown {
  const { hash: _hash, previousHash: _previous, recordedAtUs: _at, proof, ...rest } = row;
  return { ...rest, proof: Buffer.from(proof).toString("hex") };
}

const queries: readonly ReadQuery[] = [
  { limit: 1000 },
  { limit: 3, after: 2 },
  { direction: "backwards", limit: 4 },
  { direction: "backwards", before: 5, limit: 1000 },
  { filter: { kind: "fact" } },
  { filter: { kind: "internal" } },
  { filter: { type: "organization.updates" }, limit: 2 },
  { filter: { aggregateType: "organization", aggregateId: "b" } },
  { filter: { kind: "intent", aggregateType: "organization" }, direction: "backwards", limit: 5 },
];

async function snapshot(reader: LogReader, tenantId: TenantId): Promise<unknown> {
  const pages = await Promise.all(queries.map((query) => reader.read(tenantId, query)));
  const log = pages[0] ?? [];
  const byStream = await Promise.all(
    streams.map((aggregateId) =>
      reader.readStream(tenantId, { aggregateType: "organization", aggregateId }, { afterVersion: 1 }),
    ),
  );
  const byId = await reader.readByIds(
    tenantId,
    log.map(({ id }) => id),
  );
  const { position, logEpoch } = await reader.head(tenantId);
  const sorted = byId.toSorted((a, b) => a.position - b.position);
  return { position, logEpoch, rows: [...pages, ...byStream, sorted].map((rows) => rows.map(comparableRow)) };
}

describe("PostgreSQL and its model", () => {
  const signers = { edge: createTestSigner("edge"), runtime: createTestSigner("runtime") };
  let postgres: Installation;
  beforeAll(async () => {
    postgres = await installEventplane();
  });
  afterAll(() => postgres.close());

  async function run(plan: readonly PlannedCall[], memory: MemoryStore): Promise<readonly string[]> {
    const planner = new Planner();
    const results: string[] = [];
    for (const one of plan) {
      const signed = planner.appends(one).map((append) => signAppend(signers[one.tier], append));
      const [real, model] = await Promise.all([postgres[one.tier].append(signed), memory[one.tier].append(signed)]);
      expect(real.map(comparableOutcome)).toEqual(model.map(comparableOutcome));
      results.push(...model.map((outcome) => (outcome.result === "refused" ? outcome.code : outcome.result)));
    }
    for (const tenantId of planner.tenants) {
      expect(await snapshot(postgres.reader, tenantId)).toEqual(await snapshot(memory.reader, tenantId));
    }
    return results;
  }

  it("give the same outcomes, logs and reads for any calls", async () => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(calls, async (plan) => {
        const results = await run(plan, createMemoryStore({ clock: systemClock }));
        for (const result of results) seen.set(result, (seen.get(result) ?? 0) + 1);
      }),
      { numRuns: 100, examples: [[wholeLife]] },
    );
    // The generator reaches every outcome, or this test would say little.
    expect([...seen.keys()].toSorted()).toEqual([
      "appended",
      "content_mismatch",
      "repeated",
      "resource_deleted",
      "resource_deleting",
      "resource_exists",
      "wrong_expected_generation",
      "wrong_expected_version",
    ]);
  });
});
