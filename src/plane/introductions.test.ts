/** How a process without an edge learns the signing keys of the others. */
import { describe, expect, it } from "vitest";
import {
  createEd25519Signer,
  type EventRow,
  generateSigningKey,
  introduceKey,
  introductionSpec,
  KeyDirectory,
} from "../event/index.js";
import type { ReadQuery } from "../store/index.js";
import { VirtualClock } from "../testing/virtual-clock.js";
import { Introductions } from "./introductions.js";

const root = generateSigningKey();
const rootSigner = createEd25519Signer({ privateKey: root.privateKeyPem, tier: "operator" });

/** What the platform's log has of introductions: `specs[n]` at position 2 n + 2. */
function scene(signer = rootSigner) {
  const rows: Pick<EventRow, "specText" | "position">[] = [];
  const reads: (number | undefined)[] = [];
  const read = async (_tenant: unknown, { after = 0, limit = 1 }: ReadQuery): Promise<readonly EventRow[]> => {
    reads.push(after);
    return rows.filter(({ position }) => position > after).slice(0, limit) as EventRow[]; // nothing else of them is read
  };
  const introduce = (tier: "edge" | "runtime") => {
    const key = generateSigningKey();
    const given = { publicKey: key.publicKey, tier, kinds: ["intent" as const], from: "2020-01-01T00:00:00Z" };
    const introduction = introduceKey(signer, given);
    rows.push({ specText: JSON.stringify(introductionSpec(introduction)), position: rows.length * 2 + 2 });
    return introduction.keyId;
  };
  const clock = new VirtualClock();
  const directory = new KeyDirectory(root.publicKey);
  const introductions = new Introductions({ reader: { read }, directory, clock });
  return { introductions, directory, clock, introduce, reads };
}

describe("introductions", () => {
  it("are read on from where they ended, every second", async () => {
    const { introductions, directory, clock, introduce, reads } = scene();
    const first = introduce("edge");
    await introductions.read();
    expect(directory.has(first)).toBe(true);
    const stop = new AbortController();
    const running = introductions.run(stop.signal);
    const second = introduce("runtime");
    await clock.advance(1_000);
    expect(directory.has(second)).toBe(true);
    expect(reads).toEqual([0, 2]);
    stop.abort();
    await running;
  });

  it("are waited for, for half a minute", async () => {
    const { introductions, clock, introduce, directory } = scene();
    const missing = createEd25519Signer({ privateKey: generateSigningKey().privateKeyPem, tier: "runtime" }).keyId;
    const waiting = introductions.waitFor(missing).catch((error: unknown) => error);
    await clock.advance(31_000);
    expect(await waiting).toMatchObject({ code: "key_unknown", message: expect.stringContaining("keys/root.key") });
    const late = introduce("runtime");
    await introductions.waitFor(late);
    expect(directory.has(late)).toBe(true);
  });

  it("that another root signed are refused", async () => {
    const other = createEd25519Signer({ privateKey: generateSigningKey().privateKeyPem, tier: "operator" });
    const { introductions, introduce, directory } = scene(other);
    const keyId = introduce("edge");
    await expect(introductions.read()).rejects.toMatchObject({ code: "verification_failed" });
    expect(directory.has(keyId)).toBe(false);
  });
});
