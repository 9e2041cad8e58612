/**
 * PostgreSQL against its specification: random calls go to the real database and to the store in memory, and both must
 * give the same outcomes, the same logs and the same reads. fast-check prints seed and path of a failure.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type ChainLink,
  type DraftEvent,
  type EventRow,
  eventDigest,
  signCommit,
  verifyLink,
} from "../src/event/index.js";
import { holdsDigest, readProof } from "../src/event/proof.js";
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
  type SignedAppend,
} from "../src/store/index.js";
import {
  createTestSigner,
  draftDerived,
  draftIntent,
  newDerivedId,
  newEventId,
  newTenantId,
  type TestSigner,
} from "../src/testing/drafts.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

const tenantsMax = 2;
const streams = ["a", "b"] as const;

/** One event as the generator describes it; `known` takes the event of an earlier item again. */
interface PlannedItem {
  readonly effect: LifecycleEffect;
  /** Of an effect that bears a spec: an outside fact instead of an intent. */
  readonly outside: boolean;
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
  /** Signed together and sent one by one, as a call that failed is. */
  readonly apart: boolean;
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
    outside: fc.boolean(),
    stream: fc.nat({ max: streams.length - 1 }),
    expectedVersion,
    expectedGeneration: fc.option(fc.nat({ max: 3 }), { freq: 4 }),
    spec: fc.nat({ max: 2 }),
    known: fc.option(fc.record({ back: fc.nat({ max: 8 }), other: fc.boolean() }), { freq: 3 }),
  });
const call = (tier: PlannedCall["tier"], effects: readonly LifecycleEffect[]): fc.Arbitrary<PlannedCall> =>
  fc.record({
    tier: fc.constant(tier),
    apart: fc.boolean(),
    appends: fc.array(
      fc.record({
        tenant: fc.nat({ max: tenantsMax - 1 }),
        items: fc.oneof(
          fc.array(item(effects), { minLength: 1, maxLength: 1 }),
          fc.array(item(effects), { minLength: 1, maxLength: 3 }),
        ),
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

/** What few events have. */
const rareFields: Partial<DraftEvent> = {
  correlationId: "01890000-0000-7000-8000-000000000001",
  causationId: "01890000-0000-7000-8000-000000000002",
  occurredAt: "1999-12-31T23:59:59.999999Z",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  keyRefsText: '{ "spec/text": "key-1" }',
  finalizersText: '{"quota":{"completed":false,"observedGeneration":0}}',
};

const specs = ["{}", '{"n": 1.0}', '{"text":"ä \\u001e \\"\'"}'] as const;

const plainItem: PlannedItem = {
  effect: "creates",
  outside: false,
  stream: 0,
  expectedVersion: "any",
  expectedGeneration: null,
  spec: 0,
  known: null,
};
const plain = (
  tier: PlannedCall["tier"],
  effect: LifecycleEffect,
  options: Partial<PlannedItem> = {},
): PlannedCall => ({
  tier,
  apart: false,
  appends: [{ tenant: 0, items: [{ ...plainItem, effect, ...options }] }],
});
/** A whole life with every outcome in it, which chance does not always find. */
const wholeLife: readonly PlannedCall[] = [
  plain("edge", "creates"),
  plain("edge", "creates", { known: { back: 0, other: false } }),
  plain("edge", "creates", { known: { back: 0, other: true }, spec: 1 }),
  plain("edge", "creates"),
  plain("edge", "updates", { expectedGeneration: 3 }),
  plain("edge", "updates", { expectedVersion: 6 }),
  plain("edge", "deletes"),
  plain("edge", "updates"),
  plain("runtime", "finishes"),
  plain("edge", "updates"),
  plain("edge", "deletes"),
  plain("edge", "creates"),
];

/** The same twice in each call, for what many events have in common. */
const twoLives = wholeLife.map((one) => ({
  ...one,
  appends: one.appends.flatMap(({ tenant, items }) =>
    [0, 1].map((stream) => ({ tenant, items: items.map((planned) => ({ ...planned, stream })) })),
  ),
}));

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
    const sameKind = earlier?.kind === fresh.kind && earlier.source === fresh.source;
    const event = sameKind && earlier.tenantId === tenantId ? again(earlier, planned) : fresh;
    this.#made[tier].push(event);
    return {
      event,
      effect,
      expectedVersion: planned.expectedVersion,
      ...(expectedGeneration === null ? {} : { expectedGeneration }),
    };
  }

  #draft({ effect, outside, stream, spec }: PlannedItem, tenantId: TenantId): DraftEvent {
    const place = { tenantId, aggregateId: streams[stream] ?? "a", specText: specs[spec] ?? "{}" };
    const intent = draftIntent({ ...place, id: newEventId(), type: `organization.${effect}` });
    if (effect === "system") return { ...intent, kind: "fact", type: "organization.noted" };
    if (effect !== "derived" && effect !== "finishes")
      return outside ? { ...intent, ...rareFields, kind: "fact", source: "crm" } : intent;
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

/** As the coalescer does it: those of one tenant are neighbours, and leaves of one commit. */
function signTogether(signer: TestSigner, appends: readonly Append[]): readonly SignedAppend[] {
  const tenants = [...new Set(appends.map(({ tenantId }) => tenantId))];
  return tenants.flatMap((tenantId) => {
    const own = appends.filter((append) => append.tenantId === tenantId);
    const events = own.flatMap(({ items }) => items.map(({ event }) => event));
    const commitProof = signCommit(signer, events.map(eventDigest));
    let firstLeaf = 0;
    return own.map((append) => {
      firstLeaf += append.items.length;
      return { ...append, commitProof, firstLeaf: firstLeaf - append.items.length };
    });
  });
}

/** Every event is the next link of the chain and a leaf of its commit. */
async function checkLog(reader: LogReader, tenantId: TenantId): Promise<void> {
  let link: ChainLink | undefined;
  for (const row of await reader.read(tenantId, { limit: 1000 })) {
    link = verifyLink(row, link);
    expect(holdsDigest(readProof(row), eventDigest(row)), `leaf of position ${row.position}`).toBe(true);
  }
}

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
      const signed = signTogether(signers[one.tier], planner.appends(one));
      for (const sent of one.apart ? signed.map((append) => [append]) : [signed]) {
        const [real, model] = await Promise.all([postgres[one.tier].append(sent), memory[one.tier].append(sent)]);
        expect(real.map(comparableOutcome)).toEqual(model.map(comparableOutcome));
        const isOne = one.tier === "edge" && sent.length === 1 && sent[0]?.items.length === 1;
        const names = model.map((outcome) => (outcome.result === "refused" ? outcome.code : outcome.result));
        results.push(...names.map((name) => (isOne ? `one: ${name}` : name)));
      }
    }
    for (const tenantId of planner.tenants) {
      await checkLog(postgres.reader, tenantId);
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
      { numRuns: 100, examples: [[wholeLife], [twoLives]] },
    );
    // The generator reaches every outcome, or this test would say little.
    const outcomes = [
      "appended",
      "content_mismatch",
      "repeated",
      "resource_deleted",
      "resource_deleting",
      "resource_exists",
      "wrong_expected_generation",
      "wrong_expected_version",
    ];
    // Twice over: an event alone has a function of its own.
    expect([...seen.keys()].toSorted()).toEqual([...outcomes, ...outcomes.map((name) => `one: ${name}`)].toSorted());
  });
});
