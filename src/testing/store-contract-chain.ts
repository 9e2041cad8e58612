/**
 * Contract: what was appended comes back byte for byte, and hash, previousHash and proof hold.
 *
 * The digests are computed here a second time, from the definitions (docs/reference/proofs.md) and not with the code
 * that the adapters use.
 */
import { strict as check } from "node:assert";
import { createHash, verify } from "node:crypto";
import { type DraftEvent, type EventRow, proofWithPath, provenMessage, signCommit } from "../event/index.js";
import type { TenantId } from "../kernel/index.js";
import { appending, creating, draftDerived, draftIntent, newEventId, newTenantId } from "./drafts.js";
import { defined, type StoreFixture } from "./store-contract-fixture.js";
import type { TestRunner } from "./test-runner.js";

/** Declares the tests. */
export function chainContract({ describe, it }: TestRunner, store: StoreFixture): void {
  describe("what is stored", () => {
    textTests(it, store);
    chainTests(it, store);
  });
}

type It = TestRunner["it"];

/** JSON texts that a store might be tempted to rewrite. */
const specTexts: readonly string[] = [
  "{}",
  '{"a":1.0,"b":1e2,"c":-0.50,"d":12345678901234567890}',
  '{"b":1,"a":2,"10":3,"9":4}',
  '{ "spaced" :\t[ 1 ,\n 2 ] }',
  '{"text":"it\'s \\"quoted\\" \\\\ \\n \\u001e \\u001f \\u007f %s $1 $$ :x ? \\/"}',
  '{"text":"äöü 漢字 😀 \u2028\u2029 \u200f"}',
  '{"escaped":"\\ud83d\\ude00 \\u00e4"}',
  '{"a\'b":"null","N":"\\\\N","nil":null,"":""}',
  JSON.stringify({ long: "x".repeat(100_000) }),
];

/** Every property of a draft that may be absent, present, with characters that separate fields elsewhere. */
function fullDraft(tenantId: TenantId): DraftEvent {
  return draftIntent({
    tenantId,
    kind: "fact",
    source: 'it\'s, a "source" (ä;\\|\t)',
    aggregateId: "a.b:c_d-E9",
    finalizersText: '{"quota":{"completed":false,"observedGeneration":0}}',
    causedByText: '{"principal":{"type":"apiKey","id":"ä \\"\\\\"},"n":1.50}',
    correlationId: newEventId(),
    causationId: newEventId(),
    keyRefsText: '{"spec/name":"key-1"}',
    occurredAt: "1999-12-31T23:59:59.999999Z",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    schemaVersion: 7,
  });
}

/** The draft in a row. */
function draftOf(row: EventRow): DraftEvent {
  const { version, position, generation, lifecycle, recordedAtUs, logEpoch, proof, ...rest } = row;
  const { commitProof, hash, previousHash, ...draft } = rest;
  return draft;
}

function textTests(it: It, store: StoreFixture): void {
  it("keeps every JSON text byte for byte", async () => {
    const tenantId = newTenantId();
    const drafts = specTexts.map((specText) => draftIntent({ tenantId, specText, causedByText: specText }));
    const items = drafts.map((draft) => creating(draft));
    await store.appended(defined(items[0]), ...items.slice(1));
    const derived = drafts.map((draft) => draftDerived(draft, { statusText: draft.specText }));
    const derivedItems = derived.map((draft) => appending(draft, { effect: "derived" }));
    await store.appended(defined(derivedItems[0]), ...derivedItems.slice(1));
    check.deepEqual((await store.log(tenantId)).map(draftOf), [...drafts, ...derived]);
  });

  it("keeps every property, present or absent", async () => {
    const tenantId = newTenantId();
    const [full, bare] = [fullDraft(tenantId), draftIntent({ tenantId })];
    await store.appended(appending(full), creating(bare));
    const derived = draftDerived(full, { decision: fullDecision, statusText: '{"x": {"y":1.0}}' });
    await store.appended(appending(derived, { effect: "derived" }));
    const rows = (await store.log(tenantId)).map(draftOf);
    check.deepEqual(rows, [full, bare, derived]);
    check.equal(
      JSON.stringify(rows[2]?.decision?.lookups),
      JSON.stringify(fullDecision.lookups),
      "the order of keys is hashed",
    );
  });
}

const fullDecision = {
  component: "dead-letter:quota",
  basisVersion: 1,
  step: 3,
  now: "2026-02-03T04:05:06.000007Z",
  emits: [newEventId(), newEventId()],
  lookups: { "organization/b": 2, "organization/a": 1 },
};

function chainTests(it: It, store: StoreFixture): void {
  it("is linked by the hashes of the definition, from the genesis on, in every tenant", async () => {
    const tenants = [newTenantId(), newTenantId()];
    for (const tenantId of tenants) {
      const full = fullDraft(tenantId);
      await store.appended(appending(full), creating(draftIntent({ tenantId, specText: defined(specTexts[4]) })));
      await store.appended(
        appending(draftDerived(full, { decision: fullDecision, statusText: '{"x": {"y":1.0}}' }), {
          effect: "derived",
        }),
      );
      await store.appended(appending(draftDerived(full), { effect: "derived" }));
    }
    for (const tenantId of tenants) {
      const rows = await store.log(tenantId);
      let previous = H("eventplane.genesis.v1\n", uuid(tenantId), int(1));
      for (const row of rows) {
        check.equal(hex(row.previousHash), hex(previous), `previousHash of position ${row.position}`);
        previous = chain(row);
        check.equal(hex(row.hash), hex(previous), `hash of position ${row.position}`);
      }
      check.equal(hex((await store.reader.head(tenantId)).hash), hex(previous));
      check.equal(rows.length, 4);
    }
  });

  it("proves every event with the key of its tier", async () => {
    const tenantId = newTenantId();
    const origin = draftIntent({ tenantId });
    await store.appended(creating(origin), creating(fullDraft(tenantId)), creating(draftIntent({ tenantId })));
    await store.appended(appending(draftDerived(origin), { effect: "derived" }));
    for (const row of await store.log(tenantId)) {
      const signer = store.signers[row.decision === null ? "edge" : "runtime"];
      const proof = proofWithPath(row);
      const message = defined(provenMessage(digest(row), proof));
      check.equal(proof.keyId, signer.keyId);
      check.ok(verify(null, message, signer.publicKey, proof.signature), `proof of position ${row.position}`);
    }
  });

  it("proves what comes apart from its commit, as the parts of a call that failed do", async () => {
    const tenantId = newTenantId();
    await store.appended(creating(draftIntent({ tenantId })));
    const drafts = [draftIntent({ tenantId }), draftIntent({ tenantId }), draftIntent({ tenantId })];
    const commitProof = signCommit(store.signers.edge, drafts.map(digest));
    for (const firstLeaf of [2, 0, 1]) {
      const items = [creating(defined(drafts[firstLeaf]))];
      await store.signedCall("edge", [{ tenantId, items, commitProof, firstLeaf }]);
    }
    const rows = (await store.log(tenantId)).slice(1);
    check.deepEqual(
      rows.map((row) => proofWithPath(row).index),
      [2, 0, 1],
    );
    for (const row of rows) {
      const proof = proofWithPath(row);
      const message = defined(provenMessage(digest(row), proof));
      check.ok(verify(null, message, store.signers.edge.publicKey, proof.signature), `leaf ${proof.index}`);
    }
  });

  it("begins with the genesis hash at position 0", async () => {
    const tenantId = newTenantId();
    const head = await store.reader.head(tenantId);
    check.deepEqual([head.tenantId, head.position, head.logEpoch], [tenantId, 0, 1]);
    check.equal(hex(head.hash), hex(H("eventplane.genesis.v1\n", uuid(tenantId), int(1))));
  });
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const uuid = (text: string): Buffer => Buffer.from(text.replaceAll("-", ""), "hex");

function int(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

function H(...parts: readonly (string | Uint8Array)[]): Buffer {
  return createHash("sha256")
    .update(Buffer.concat(parts.map((part) => Buffer.from(part))))
    .digest();
}

/** f(x): length and bytes, or ffffffff. */
function f(value: string | Uint8Array | null | undefined): Buffer {
  if (value === null || value === undefined) return Buffer.from("ffffffff", "hex");
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

const orAbsent = <T>(value: T | null | undefined, encode: (value: T) => Buffer): Buffer =>
  f(value === null || value === undefined ? null : encode(value));

function time(text: string): Buffer {
  const whole = Date.parse(`${text.slice(0, 19)}Z`) * 1000;
  return int(whole + Number(text.slice(20, 26)));
}

function content(event: DraftEvent): Buffer {
  return H(
    "eventplane.content.v1\n",
    f(uuid(event.tenantId)),
    f(uuid(event.id)),
    f(event.kind),
    f(event.type),
    f(event.aggregateType),
    f(event.aggregateId),
    f(event.source),
    f(uuid(event.correlationId)),
    orAbsent(event.causationId, uuid),
    orAbsent(event.occurredAt, time),
    f(H(event.specText)),
  );
}

function digest(event: DraftEvent): Buffer {
  const { decision } = event;
  return H(
    "eventplane.digest.v1\n",
    content(event),
    f(int(event.schemaVersion)),
    orAbsent(event.keyRefsText, H),
    f(H(event.statusText)),
    f(H(event.finalizersText)),
    f(decision?.component),
    orAbsent(decision?.basisVersion, int),
    orAbsent(decision?.step, int),
    orAbsent(decision?.now, time),
    orAbsent(decision?.emits, (emits) => H(JSON.stringify(emits))),
    orAbsent(decision?.lookups, (lookups) => H(JSON.stringify(lookups))),
    f(event.traceparent),
    f(H(event.causedByText)),
  );
}

function chain(row: EventRow): Buffer {
  return H(
    "eventplane.chain.v1\n",
    row.previousHash,
    int(row.position),
    int(row.version),
    int(row.recordedAtUs),
    digest(row),
    H(row.proof),
  );
}
