import { beforeEach, describe, expect, test } from "vitest";
import { isEventplaneError, type TenantId } from "../kernel/index.js";
import { createTestLog, creating, draftDerived, draftIntent, newTenantId, type TestLog } from "../testing/index.js";
import { derivedEventId } from "./derived.js";
import { type ProvenEvent, provenEventWriter, rowsOfProvenEvents } from "./proven-event.js";
import { type ChainLink, createVerifier, verifyLink } from "./verifier.js";

type Json = Record<string, unknown>;

let log: TestLog;
let page: readonly ProvenEvent[];

beforeEach(async () => {
  let nowUs = 1_767_225_600_000_000;
  log = createTestLog({ nowUs: () => (nowUs += 1_000) });
  const { tenantId } = log;
  const three = await log.add(
    creating(draftIntent({ tenantId, specText: '{ "name": "Acme" }' })),
    creating(draftIntent({ tenantId, keyRefsText: '{"spec/name":"key-1"}', occurredAt: "2020-01-01T00:00:00Z" })),
    creating(draftIntent({ tenantId, causedByText: '{"principal":{"type":"apiKey","id":"other"}}' })),
  );
  const origin = three[0]!;
  const decided = { tenantId, originId: origin.id, component: "quota", basisVersion: 1, step: 0 };
  await log.add({
    event: draftDerived(origin, { id: derivedEventId(decided) }),
    effect: "derived",
    expectedVersion: "any",
  });
  await log.add(creating(draftIntent({ tenantId })), creating(draftIntent({ tenantId })));
  page = await exported();
});

/** The log as a customer gets it. */
async function exported(after = 0, tenantId?: TenantId): Promise<readonly ProvenEvent[]> {
  const rows = (await log.rows(tenantId)).filter(({ position }) => position > after);
  return rows.map(provenEventWriter()).map((text) => JSON.parse(text) as ProvenEvent);
}

/** What an offline check says: `holds`, or the code and the message without the event's own names. */
function verdict(events: readonly unknown[]): string {
  const verifier = createVerifier(log.directory);
  let link: ChainLink | undefined;
  try {
    for (const row of rowsOfProvenEvents(events as readonly ProvenEvent[])) {
      link = verifyLink(row, link);
      verifier.verify(row);
    }
    return "holds";
  } catch (error) {
    if (!isEventplaneError(error)) throw error;
    return `${error.code} at ${String(error.details.position)}: ${error.message.replace(/^.*does not verify: /, "")}`;
  }
}

/** The page with one event changed by its position. */
const forged = (position: number, change: (event: Json & ProvenEvent) => Json): readonly unknown[] =>
  page.map((event) => (event.position === position ? change(event as Json & ProvenEvent) : event));

describe("an export", () => {
  test("holds as it was written", () => {
    expect(page).toHaveLength(6);
    expect(verdict(page)).toBe("holds");
  });

  test("that begins in the middle of a commit brings the proof of the commit", async () => {
    for (const after of [1, 2, 5]) {
      const events = await exported(after);
      expect(events[0]?.proof.commit).toBeDefined();
      const verifier = createVerifier(log.directory);
      for (const row of rowsOfProvenEvents(events)) verifier.verify(row);
      const [{ commit: _commit, ...proof }, ...rest] = [events[0]!.proof, ...events.slice(1)];
      expect(verdict([{ ...events[0], proof }, ...rest])).toContain("event_corrupt");
    }
  });

  const shared = (event: ProvenEvent): Json => ({ ...event.proof.texts });
  const kept = (event: ProvenEvent): Buffer => Buffer.from(event.proof.stored, "base64url");
  const keptAs = (event: ProvenEvent, bytes: Uint8Array): Json => ({
    ...event,
    proof: { ...event.proof, stored: Buffer.from(bytes).toString("base64url") },
  });
  const forgeries: Readonly<Record<string, readonly [() => readonly unknown[], string]>> = {
    "an event left out": [() => page.filter(({ position }) => position !== 2), "position 2 is missing or out of order"],
    "the first event of a commit left out": [
      () => page.slice(1),
      "at 2: The event at position 2 is corrupt: nothing brings the proof of its commit",
    ],
    "events of two commits swapped": [
      () =>
        page.map(
          (event) => ({ 3: { ...page[4]!, position: 3 }, 5: { ...page[2]!, position: 5 } })[event.position] ?? event,
        ),
      "at 3: it does not continue the chain",
    ],
    "the causedBy of another event of the commit": [
      () =>
        forged(2, (event) => ({
          ...event,
          causedBy: page[2]!.causedBy,
          proof: { ...event.proof, texts: { ...shared(event), causedBy: page[2]!.proof.texts.causedBy } },
        })),
      "at 2: its bytes are not those that were hashed",
    ],
    "a reference to another place": [
      () => forged(3, (event) => keptAs(event, Uint8Array.of(0, 2, 0, 1))),
      "at 3: The event at position 3 is corrupt: nothing brings the proof of its commit",
    ],
    "another leaf": [
      () => forged(2, (event) => keptAs(event, Uint8Array.of(0, 2, 0, 1))),
      "at 2: its bytes are not those that were hashed",
    ],
    "a leaf dropped": [
      () => forged(1, (event) => keptAs(event, kept(event).subarray(0, -32))),
      "at 1: its bytes are not those that were hashed",
    ],
    "a leaf added": [
      () => forged(5, (event) => keptAs(event, Buffer.concat([kept(event), Buffer.alloc(32)]))),
      "at 5: its bytes are not those that were hashed",
    ],
    "a spec shown that is not the one that was signed": [
      () => forged(1, (event) => ({ ...event, spec: { name: "Acne" } })),
      "its spec is not what its text says",
    ],
    "a causedBy shown that is not the one that was signed": [
      () => forged(4, (event) => ({ ...event, causedBy: page[2]!.causedBy })),
      "its causedBy is not what its text says",
    ],
    "keyRefs hidden": [
      () => forged(2, ({ keyRefs: _hidden, ...event }) => event),
      "its keyRefs is not what its text says",
    ],
    "another tenant's name on an event": [
      () => forged(2, (event) => ({ ...event, tenantId: newTenantId() })),
      "at 2: it is of another tenant",
    ],
  };
  for (const [name, [forge, message]] of Object.entries(forgeries)) {
    test(`shows a forgery: ${name}`, () => {
      expect(verdict(forge())).toContain(message);
    });
  }

  test("cannot take in another tenant's events, though their proofs hold and the chain was made to fit", async () => {
    const other = newTenantId();
    const [theirs] = await log.add(creating(draftIntent({ tenantId: other })));
    // A hostile server computes whatever chain it likes; the tenants of its events it cannot change.
    const [own] = await log.rows();
    createVerifier(log.directory).verify(theirs!);
    const link = verifyLink(own!, undefined);
    const spliced = { ...theirs!, position: 2, previousHash: own!.hash };
    expect(() => verifyLink(spliced, link)).toThrow("it is of another tenant");
  });

  test("with any member broken is corrupt or does not verify, and never breaks the verifier", () => {
    const junk = [undefined, null, true, 1.5, -1, "", "x", "{", {}, [], "2020", Number.MAX_VALUE];
    const paths = page.flatMap((event, at) => [
      ...Object.keys(event).map((name) => [at, name]),
      ...["stored", "commit", "texts"].map((name) => [at, "proof", name]),
      ...Object.keys(event.proof.texts).map((name) => [at, "proof", "texts", name]),
      ...Object.keys(event.decision ?? {}).map((name) => [at, "decision", name]),
    ]);
    for (const path of paths) {
      for (const value of junk) {
        const copy = structuredClone(page) as unknown as Json[];
        let into: Json = copy as unknown as Json;
        for (const step of path.slice(0, -1)) into = into[String(step)] as Json;
        if (JSON.stringify(into[String(path.at(-1))]) === JSON.stringify(value)) continue;
        into[String(path.at(-1))] = value;
        const ignored = path.at(-1) === "commit" || (path.at(-1) === "emits" && value === undefined);
        const said = verdict(copy);
        if (!ignored) expect(said, `${path.join(".")} = ${JSON.stringify(value)}`).not.toBe("holds");
      }
    }
    for (const value of [null, 1, "x", [], {}]) expect(verdict([value])).toContain("event_corrupt");
  });
});
