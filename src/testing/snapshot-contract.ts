/** The contract suite of where snapshots are kept: every adapter of src/store/snapshot-port.ts passes it. */
import { strict as check } from "node:assert";
import type { Snapshot } from "../event/index.js";
import { type SigningKeyId, systemIds } from "../kernel/index.js";
import type { SnapshotStore } from "../store/index.js";
import { newTenantId } from "./drafts.js";
import type { TestRunner } from "./test-runner.js";

/** An opened store of snapshots. */
export interface SnapshotsUnderTest {
  readonly snapshots: SnapshotStore;
  close(): Promise<void>;
}

function snapshot(parts: Partial<Snapshot> = {}): Snapshot {
  return {
    tenantId: newTenantId(),
    aggregateType: "organization",
    aggregateId: "acme",
    version: 100,
    generation: 7,
    eventHash: Buffer.alloc(32, 1),
    foldDigest: Buffer.alloc(32, 2),
    stateText: '{"spec":{"name":"Äcme \\u0000 👋","n":1e-7}}',
    keyId: systemIds.uuid4() as SigningKeyId, // a UUID is all that a key id is
    signature: Buffer.alloc(64, 3),
    ...parts,
  };
}

/** Declares the suite for one adapter. */
export function snapshotContract(runner: TestRunner, name: string, open: () => Promise<SnapshotsUnderTest>): void {
  runner.describe(`snapshot contract: ${name}`, () => {
    let under: SnapshotsUnderTest;
    runner.beforeAll(async () => {
      under = await open();
    });
    runner.afterAll(() => under.close());

    runner.it("gives back every byte of what was written", async () => {
      const written = snapshot();
      await under.snapshots.write(written);
      const read = await under.snapshots.read(written.tenantId, written);
      check.ok(read !== undefined);
      check.deepEqual(plain(read), plain(written));
    });

    runner.it("has none of a stream whose snapshot was never written", async () => {
      const written = snapshot();
      await under.snapshots.write(written);
      const { tenantId, aggregateType, aggregateId } = written;
      check.equal(await under.snapshots.read(newTenantId(), written), undefined);
      check.equal(await under.snapshots.read(tenantId, { aggregateType: "other", aggregateId }), undefined);
      check.equal(await under.snapshots.read(tenantId, { aggregateType, aggregateId: "other" }), undefined);
    });

    runner.it("keeps what was written last, also when it is of an older version", async () => {
      const first = snapshot({ version: 1_000_000_000_000 });
      const second = { ...snapshot(), tenantId: first.tenantId, version: 100 };
      await under.snapshots.write(first);
      await under.snapshots.write(second);
      const read = await under.snapshots.read(first.tenantId, first);
      check.ok(read !== undefined);
      check.deepEqual(plain(read), plain(second));
    });
  });
}

/** With bytes as text, whichever class holds them. */
function plain({ eventHash, foldDigest, signature, ...rest }: Snapshot): object {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  return { ...rest, eventHash: hex(eventHash), foldDigest: hex(foldDigest), signature: hex(signature) };
}
