import { beforeEach, describe, expect, test } from "vitest";
import { isEventplaneError, PLATFORM_TENANT_ID, systemIds } from "../kernel/index.js";
import {
  createTestLog,
  creating,
  draftDerived,
  draftIntent,
  draftSystemFact,
  newTenantId,
  signAppend,
  type TestLog,
} from "../testing/index.js";
import { derivedEventId } from "./derived.js";
import type { DraftEvent, EventRow } from "./event.js";
import {
  introduceKey,
  introductionSpec,
  type KeyIntroduction,
  parseIntroduction,
  verifyIntroduction,
} from "./introduction.js";
import { KeyDirectory } from "./key-directory.js";
import { createEd25519Signer, generateSigningKey } from "./signing.js";
import { type ChainLink, createVerifier, type Verifier, verifyLink } from "./verifier.js";

let log: TestLog;
let verifier: Verifier;
let nowUs: number;

beforeEach(() => {
  nowUs = 1_767_225_600_000_000;
  log = createTestLog({ nowUs: () => (nowUs += 1_000) });
  verifier = createVerifier(log.directory);
});

/** The code with which verification fails; undefined when it does not. */
function failureOf(row: EventRow, by: Verifier = verifier): string | undefined {
  try {
    by.verify(row);
    return undefined;
  } catch (error) {
    if (isEventplaneError(error)) return error.code;
    throw error;
  }
}

function derivedFrom(origin: DraftEvent): DraftEvent {
  const id = derivedEventId({
    tenantId: origin.tenantId,
    originId: origin.id,
    component: "quota",
    basisVersion: 1,
    step: 0,
  });
  return draftDerived(origin, { id });
}

/** A row signed by any key, as a faulty or hostile writer could store it. */
async function signedBy(signer: TestLog["edge"], event: DraftEvent): Promise<EventRow> {
  const item = { event, effect: event.decision === null ? "system" : "derived", expectedVersion: "any" } as const;
  const appender = event.decision === null ? log.store.edge : log.store.runtime;
  await appender.append([signAppend(signer, { tenantId: event.tenantId, items: [item] })]);
  const [row] = await log.store.reader.readByIds(event.tenantId, [event.id]);
  return row!;
}

describe("verify", () => {
  test("accepts intents by the edge, derived events by the runtime and each event of a commit of many", async () => {
    const drafts = Array.from({ length: 7 }, () => creating(draftIntent({ tenantId: log.tenantId })));
    for (const row of await log.add(...drafts)) verifier.verify(row);
    const origin = drafts[0]!.event;
    verifier.verify(await signedBy(log.runtime, derivedFrom(origin)));
  });

  test.each([
    "id",
    "type",
    "specText",
    "statusText",
    "finalizersText",
    "causedByText",
    "correlationId",
    "aggregateId",
    "traceparent",
    "schemaVersion",
  ] as const)("refuses an event whose %s was changed", async (field) => {
    const [row] = await log.add(creating(draftIntent({ tenantId: log.tenantId })));
    verifier.verify(row!);
    const changed = {
      id: systemIds.uuid7(),
      correlationId: systemIds.uuid7(),
      schemaVersion: 2,
      aggregateId: "x",
    } as const;
    expect(
      failureOf({
        ...row!,
        [field]: field in changed ? changed[field as keyof typeof changed] : '{"x":1}',
      } as EventRow),
    ).toBe("verification_failed");
  });

  test("refuses another event's proof, a cut path and a changed signature, also after the right one was cached", async () => {
    const [one, two] = await log.add(
      creating(draftIntent({ tenantId: log.tenantId })),
      creating(draftIntent({ tenantId: log.tenantId })),
    );
    verifier.verify(one!);
    expect(failureOf({ ...one!, proof: two!.proof })).toBe("verification_failed");
    verifier.verify(two!);
    expect(failureOf({ ...two!, proof: one!.proof })).toBe("verification_failed");
    for (const [row, stored] of [
      [one!, "proof"],
      [two!, "commitProof"],
    ] as const) {
      const bytes = row[stored];
      expect(failureOf({ ...row, [stored]: bytes.slice(0, -32) })).toBe("event_corrupt");
      expect(failureOf({ ...row, [stored]: bytes.slice(0, -1) })).toBe("event_corrupt");
      for (const at of [bytes.length - 100, bytes.length - 40, bytes.length - 1]) {
        const flipped = Uint8Array.from(bytes);
        flipped[at]! ^= 1;
        expect(failureOf({ ...row, [stored]: flipped })).toBe("verification_failed");
      }
    }
    expect(failureOf({ ...two!, proof: Uint8Array.of(0, 2, 0, 1) })).toBe("event_corrupt");
    expect(failureOf({ ...two!, commitProof: new Uint8Array() })).toBe("event_corrupt");
  });

  test("refuses a key that nobody introduced, and one introduced under another root", async () => {
    const stranger = createEd25519Signer({ privateKey: generateSigningKey().privateKeyPem, tier: "edge" });
    expect(failureOf(await signedBy(stranger, draftSystemFact({ tenantId: log.tenantId })))).toBe("key_unknown");
    const [row] = await log.add(creating(draftIntent({ tenantId: log.tenantId })));
    expect(failureOf(row!, createVerifier(new KeyDirectory(generateSigningKey().publicKey)))).toBe("key_unknown");
  });

  test("refuses the runtime's key under undecided events and the edge's under derived ones", async () => {
    const origin = draftIntent({ tenantId: log.tenantId });
    await log.add(creating(origin));
    expect(failureOf(await signedBy(log.runtime, draftSystemFact({ tenantId: log.tenantId })))).toBe(
      "verification_failed",
    );
    expect(failureOf(await signedBy(log.edge, derivedFrom(origin)))).toBe("verification_failed");
  });

  test("refuses a derived event whose id does not follow from its decision", async () => {
    const origin = draftIntent({ tenantId: log.tenantId });
    await log.add(creating(origin));
    expect(failureOf(await signedBy(log.runtime, draftDerived(origin)))).toBe("verification_failed");
  });

  test("refuses a key outside of its time and a kind that it was not introduced for", async () => {
    const key = generateSigningKey();
    const signer = createEd25519Signer({ privateKey: key.privateKeyPem, tier: "edge" });
    const row = await signedBy(signer, draftSystemFact({ tenantId: log.tenantId }));
    const introduced = { publicKey: key.publicKey, tier: "edge", kinds: ["fact"] } as const;
    const judge = (more: object): void => {
      log.directory.accept(introduceKey(log.root, { ...introduced, from: "2020-01-01T00:00:00Z", ...more }));
      verifier.verify(row);
    };
    expect(() => judge({ from: "2026-06-01T00:00:00Z" })).toThrow(/not valid when/);
    expect(() => judge({ to: "2025-12-31T00:00:00Z" })).toThrow(/not valid when/);
    expect(() => judge({ kinds: ["intent"] })).toThrow(/of kind fact/);
    expect(() => judge({ tier: "signer" })).toThrow(/tier signer/);
    expect(() => judge({ to: "2026-12-31T00:00:00Z" })).not.toThrow();
  });

  test("the root key proves introductions in the platform's log and nothing else, and they are learnt from it", async () => {
    const key = generateSigningKey();
    const introduction = introduceKey(log.root, {
      publicKey: key.publicKey,
      tier: "edge",
      kinds: ["intent"],
      from: "2020-01-01T00:00:00Z",
    });
    const draft = (parts: Partial<DraftEvent>): DraftEvent =>
      draftSystemFact({
        tenantId: PLATFORM_TENANT_ID,
        type: "signing-key.introduced",
        aggregateType: "signing-key",
        aggregateId: introduction.keyId,
        specText: JSON.stringify(introductionSpec(introduction)),
        ...parts,
      });
    const directory = new KeyDirectory(log.directory.rootPublicKey);
    const fresh = createVerifier(directory);
    fresh.verify(await signedBy(log.root, draft({})));
    expect(directory.get(introduction.keyId).introduction).toEqual(introduction);
    expect(failureOf(await signedBy(log.root, draft({ tenantId: newTenantId() })))).toBe("verification_failed");
    expect(failureOf(await signedBy(log.root, draft({ aggregateId: "other" })))).toBe("verification_failed");
    expect(failureOf(await signedBy(log.root, draft({ specText: "{}" })))).toBe("verification_failed");
    expect(failureOf(await signedBy(log.edge, draft({})))).toBe("verification_failed");
    expect(failureOf(await signedBy(log.root, draftSystemFact({ tenantId: PLATFORM_TENANT_ID })))).toBe(
      "verification_failed",
    );
  });
});

describe("introductions", () => {
  test("an introduction that is verified again does not bring back a key that a later one ended", async () => {
    const { publicKey } = generateSigningKey();
    const key = { publicKey, tier: "edge", kinds: ["intent"], from: "2020-01-01T00:00:00Z" } as const;
    const [open, ended] = [introduceKey(log.root, key), introduceKey(log.root, { ...key, to: "2021-01-01T00:00:00Z" })];
    const introduced = (introduction: KeyIntroduction, position: number): Promise<EventRow> =>
      signedBy(
        log.root,
        draftSystemFact({
          tenantId: PLATFORM_TENANT_ID,
          type: "signing-key.introduced",
          aggregateType: "signing-key",
          aggregateId: introduction.keyId,
          specText: JSON.stringify(introductionSpec(introduction)),
        }),
      ).then((row) => ({ ...row, position }));
    const directory = new KeyDirectory(log.directory.rootPublicKey);
    const fresh = createVerifier(directory);
    const rows = [await introduced(open, 3), await introduced(ended, 9)];
    for (const row of [...rows, ...rows.slice(0, 1)]) fresh.verify(row);
    expect(directory.get(open.keyId).introduction).toEqual(ended);
    const unproven = { ...(await introduced(open, 99)), traceparent: "changed" };
    expect(() => fresh.verify(unproven)).toThrow(expect.objectContaining({ code: "verification_failed" }));
    expect(directory.get(open.keyId).introduction).toEqual(ended);
  });

  test("every part of an introduction is signed", () => {
    const key = generateSigningKey();
    const other = generateSigningKey();
    const introduction = introduceKey(log.root, {
      publicKey: key.publicKey,
      tier: "edge",
      kinds: ["intent", "fact"],
      from: "2026-01-01T00:00:00Z",
      to: "2027-01-01T00:00:00Z",
    });
    verifyIntroduction(introduction, log.directory.rootPublicKey);
    const changes = [
      { keyId: other.keyId },
      { publicKey: other.publicKey },
      { keyId: other.keyId, publicKey: other.publicKey },
      { tier: "runtime" as const },
      { kinds: ["intent"] as const },
      { from: "2025-01-01T00:00:00.000000Z" },
      { to: null },
      { to: "2028-01-01T00:00:00.000000Z" },
      { rootSignature: "" },
    ];
    for (const change of changes) {
      expect(() => verifyIntroduction({ ...introduction, ...change }, log.directory.rootPublicKey)).toThrow(
        expect.objectContaining({ code: "verification_failed" }),
      );
    }
  });

  test("a spec that is no introduction is refused", () => {
    for (const spec of [
      {},
      { keyId: "x" },
      {
        ...introductionSpec(
          introduceKey(log.root, {
            publicKey: generateSigningKey().publicKey,
            tier: "edge",
            kinds: [],
            from: "2026-01-01T00:00:00Z",
          }),
        ),
        tier: "root",
      },
    ]) {
      expect(() => parseIntroduction(spec)).toThrow(expect.objectContaining({ code: "verification_failed" }));
    }
  });

  test("a key cannot end before it begins", () => {
    const { publicKey } = generateSigningKey();
    const introduce = (): unknown =>
      introduceKey(log.root, {
        publicKey,
        tier: "edge",
        kinds: ["intent"],
        from: "2026-01-01T00:00:00Z",
        to: "2026-01-01T00:00:00Z",
      });
    expect(introduce).toThrow(expect.objectContaining({ code: "request_invalid" }));
  });

  test("a signer refuses what is no Ed25519 private key, without quoting it", () => {
    const refused = (privateKey: string): unknown => createEd25519Signer({ privateKey, tier: "edge" });
    expect(() => refused("-----BEGIN PRIVATE KEY-----\nc4n4ry\n-----END PRIVATE KEY-----")).toThrow(
      expect.objectContaining({
        code: "key_file_invalid",
        message: expect.not.stringContaining("c4n4ry"),
      }),
    );
  });
});

describe("verifyLink", () => {
  const walk = (rows: readonly EventRow[]): ChainLink | undefined =>
    rows.reduce<ChainLink | undefined>((previous, row) => verifyLink(row, previous), undefined);

  test("accepts a whole log and names the first place that was changed", async () => {
    for (let count = 0; count < 5; count++) await log.add(creating(draftIntent({ tenantId: log.tenantId })));
    const rows = await log.rows();
    expect(walk(rows)?.position).toBe(5);
    const planted: readonly (readonly [number, readonly EventRow[]])[] = [
      [3, rows.map((row) => (row.position === 3 ? { ...row, specText: '{"name":"Acne"}' } : row))],
      [2, rows.map((row) => (row.position === 2 ? { ...row, recordedAtUs: row.recordedAtUs + 1 } : row))],
      [
        4,
        rows.map((row) =>
          row.position === 4 ? { ...row, proof: row.proof.map((byte, at) => (at === 40 ? byte ^ 1 : byte)) } : row,
        ),
      ],
      [3, rows.filter(({ position }) => position !== 2)],
      [3, [rows[0]!, rows[2]!, rows[1]!]],
      [2, rows.slice(1)],
      [1, rows.map((row) => (row.position === 1 ? { ...row, previousHash: new Uint8Array(32) } : row))],
    ];
    for (const [position, changed] of planted) {
      expect(() => walk(changed)).toThrow(
        expect.objectContaining({
          code: "verification_failed",
          details: expect.objectContaining({ tenantId: log.tenantId, position }),
        }),
      );
    }
  });
});
