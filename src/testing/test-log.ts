/** One tenant's log in memory with real keys, for tests of what is made of its rows. */
import {
  type AppendItem,
  createEd25519Signer,
  type EventRow,
  generateSigningKey,
  introduceKey,
  KeyDirectory,
} from "../event/index.js";
import { assert, type Clock, PLATFORM_TENANT_ID, type Signer, type TenantId } from "../kernel/index.js";
import { type AppendOutcome, createMemoryStore, type MemoryStore } from "../store/index.js";
import { newTenantId, signAppend } from "./drafts.js";

/** A root key, an edge key and a runtime key that it introduced, and a memory store behind them. */
export interface TestLog {
  readonly tenantId: TenantId;
  readonly store: MemoryStore;
  readonly directory: KeyDirectory;
  readonly root: Signer;
  readonly edge: Signer;
  readonly runtime: Signer;
  /** Signs and appends in one call, by the tier that may make the first item. */
  append(items: readonly AppendItem[]): Promise<AppendOutcome>;
  /** Appends and fails the test unless it was added. */
  add(...items: readonly AppendItem[]): Promise<readonly EventRow[]>;
  /** Rows of a stream in version order. */
  stream(name: Pick<EventRow, "aggregateType" | "aggregateId">): Promise<readonly EventRow[]>;
  /** All rows in position order. */
  rows(tenantId?: TenantId): Promise<readonly EventRow[]>;
}

const beginning = "2020-01-01T00:00:00Z";

/** A new, empty log of a new tenant. */
export function createTestLog(clock: Pick<Clock, "nowUs">): TestLog {
  const tenantId = newTenantId();
  const never = async (): Promise<void> => undefined;
  const store = createMemoryStore({ clock: { nowUs: () => clock.nowUs(), monotonicMs: () => 0, sleep: never } });
  const rootKey = generateSigningKey();
  const root = createEd25519Signer({ privateKey: rootKey.privateKeyPem, tier: "operator" });
  const directory = new KeyDirectory(rootKey.publicKey);
  const signerOf = (tier: "edge" | "runtime"): Signer => {
    const key = generateSigningKey();
    const kinds = tier === "edge" ? (["intent", "fact"] as const) : (["fact", "internal"] as const);
    directory.accept(introduceKey(root, { publicKey: key.publicKey, tier, kinds, from: beginning }));
    return createEd25519Signer({ privateKey: key.privateKeyPem, tier });
  };
  const edge = signerOf("edge");
  const runtime = signerOf("runtime");
  const append = async (items: readonly AppendItem[]): Promise<AppendOutcome> => {
    const [first] = items;
    assert(first !== undefined, "an append has items");
    const derived = first.event.decision !== null;
    const signer = derived ? runtime : first.event.tenantId === PLATFORM_TENANT_ID ? root : edge;
    const call = [signAppend(signer, { tenantId: first.event.tenantId, items })];
    const [outcome] = await (derived ? store.runtime : store.edge).append(call);
    assert(outcome !== undefined, "a call has an outcome for each append");
    return outcome;
  };
  return {
    tenantId,
    store,
    directory,
    root,
    edge,
    runtime,
    append,
    add: async (...items) => {
      const outcome = await append(items);
      assert(outcome.result === "appended", `the append was ${JSON.stringify(outcome)}`);
      const ids = items.map(({ event }) => event.id);
      const rows = await store.reader.readByIds(items[0]?.event.tenantId ?? tenantId, ids);
      return [...rows].sort((one, other) => one.position - other.position);
    },
    stream: (name) => store.reader.readStream(tenantId, name),
    rows: (of = tenantId) => store.reader.read(of, { limit: 1_000 }),
  };
}
