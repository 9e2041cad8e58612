/**
 * Attack 10: a stolen edge or runtime role calls the append functions as no service does. Whatever its numbers, fields and
 * settings say, the call is refused, or what it adds keeps chain and versions whole and can be read and dispatched.
 */
import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ChainLink, type DraftEvent, type EventRow, proofBack, verifyLink } from "../src/event/index.js";
import type { TenantId } from "../src/kernel/index.js";
import type { AppendItem } from "../src/store/index.js";
import { encodeCall, encodeOne } from "../src/store/postgres/append-codec.js";
import {
  appending,
  appendOf,
  createTestSigner,
  creating,
  draftDerived,
  draftIntent,
  newTenantId,
  signAppend,
} from "../src/testing/index.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

type Tier = "edge" | "runtime";

let installation: Installation;
const signers = { edge: createTestSigner("edge"), runtime: createTestSigner("runtime") };
beforeAll(async () => {
  installation = await installEventplane();
});
afterAll(() => installation.close());

const added = "added";

/** `added`, or the SQLSTATE with which the role's call was refused. */
async function send(tier: Tier, call: string | readonly (string | null)[], setting = "select 1"): Promise<string> {
  const client = new pg.Client({ connectionString: installation.url(tier) });
  await client.connect();
  try {
    await client.query(setting);
    if (typeof call !== "string") {
      const places = call.map((_, index) => `$${index + 1}`).join(", ");
      await client.query(`select eventplane.append_edge_one(${places})`, [...call]);
      return added;
    }
    const name = tier === "edge" ? "append_edge" : "append_derived";
    const { rows } = await client.query<{ answer: string }>(`select eventplane.${name}($1) as answer`, [call]);
    return rows[0]?.answer.startsWith("1") === true ? added : "refused";
  } catch (error) {
    if (error instanceof pg.DatabaseError) return error.code ?? "";
    throw error;
  } finally {
    await client.end();
  }
}

/** The log of a tenant, whose chain and versions must be whole up to the head. */
async function wholeLog(tenantId: TenantId): Promise<readonly EventRow[]> {
  const rows = await installation.reader.read(tenantId, { limit: 1000 });
  let link: ChainLink | undefined;
  const versions = new Map<string, number>();
  for (const row of rows) {
    link = verifyLink(row, link);
    const stream = `${row.aggregateType} ${row.aggregateId}`;
    expect(row.version, stream).toBe((versions.get(stream) ?? 0) + 1);
    versions.set(stream, row.version);
  }
  expect((await installation.reader.head(tenantId)).position).toBe(rows.length);
  return rows;
}

const listAt = { lasts: 0, streams: 1, streamOf: 3, proofOf: 4, leaf: 5, cause: 6, effect: 7, expected: 8, twin: 10 };

/** The call with some of its lists of numbers replaced. */
function lying(call: string, lists: Partial<Record<keyof typeof listAt, string>>): string {
  const parts = call.split("\u001d");
  const numbers = (parts[4] ?? "").split("\u001f");
  for (const [name, list] of Object.entries(lists)) numbers[listAt[name as keyof typeof listAt]] = list;
  parts[4] = numbers.join("\u001f");
  return parts.join("\u001d");
}

/** The call with a field of its first event replaced; rare fields are parts of the last. */
function withField(call: string, at: number, value: string): string {
  const parts = call.split("\u001d");
  const fields = (parts[5] ?? "").split("\u001f");
  fields[at] = value;
  parts[5] = fields.join("\u001f");
  return parts.join("\u001d");
}
function withRare(call: string, at: number, value: string): string {
  const rare = (call.split("\u001d")[5] ?? "").split("\u001f")[7]?.split("\u001e") ?? [];
  const padded = Array.from({ length: Math.max(rare.length, at + 1) }, (_, index) => rare[index] ?? "");
  return withField(call, 7, padded.with(at, value).join("\u001e"));
}

const callOf = (...drafts: readonly DraftEvent[]): string =>
  encodeCall(drafts.map((draft) => signAppend(signers.edge, appendOf(appending(draft)))));
const derived = (item: AppendItem): string => encodeCall([signAppend(signers.runtime, appendOf(item))]);

async function seeded(parts: Partial<DraftEvent> = {}, count = 1): Promise<DraftEvent> {
  const tenantId = newTenantId();
  const draft = draftIntent({ tenantId, ...parts });
  await installation.edge.append([signAppend(signers.edge, appendOf(creating(draft)))]);
  for (let version = 2; version <= count; version++) {
    const next = draftIntent({ tenantId, aggregateId: draft.aggregateId });
    await installation.edge.append([signAppend(signers.edge, appendOf(appending(next)))]);
  }
  return draft;
}

describe("attack 10: numbers that lie", () => {
  it("an event twice in the appends of a call leaves no gap", async () => {
    const { tenantId } = await seeded();
    for (const lasts of ["{1,0,1}", "{1,1}", "{0,1}", "{-1,1}", "{1,NULL,1}", "{{1},{1}}"]) {
      expect(await send("edge", lying(callOf(draftIntent({ tenantId })), { lasts })), lasts).not.toBe(added);
    }
    expect(await wholeLog(tenantId)).toHaveLength(1);
  });

  it("an array that does not begin at 1 gives no event the version of another stream", async () => {
    const { tenantId, aggregateId } = await seeded({}, 3);
    const call = callOf(draftIntent({ tenantId }), draftIntent({ tenantId, aggregateId }));
    expect(await send("edge", lying(call, { streams: "[0:1]={2,1}", streamOf: "{1,0}" }))).toBe("08P01");
    expect(await wholeLog(tenantId)).toHaveLength(3);
  });

  it("two numbers for one stream give no version twice", async () => {
    const { tenantId, aggregateId } = await seeded();
    const call = callOf(draftIntent({ tenantId, aggregateId }), draftIntent({ tenantId, aggregateId }));
    expect(await send("edge", lying(call, { streams: "{1,2}", streamOf: "{1,2}" }))).toBe("23505");
    expect(await wholeLog(tenantId)).toHaveLength(1);
  });

  it("no event refers to a proof that is not kept by its own call and tenant", async () => {
    const [first = newTenantId(), second = newTenantId()] = [newTenantId(), newTenantId()].sort();
    for (const tenantId of [second, second]) {
      await installation.edge.append([signAppend(signers.edge, appendOf(creating(draftIntent({ tenantId }))))]);
    }
    for (const proofOf of ["{1,0}", "{1,NULL}", "{1}", "{0,0}", "{1,9}"]) {
      const call = callOf(draftIntent({ tenantId: first }), draftIntent({ tenantId: second }));
      expect(await send("edge", lying(call, { proofOf })), proofOf).toBe("23502");
    }
    expect((await wholeLog(second)).map(({ proof }) => proofBack(proof))).toEqual([0, 0]);
  });

  it("no event has a causedBy that its call does not bring", async () => {
    const { tenantId } = await seeded();
    for (const cause of ["{0}", "{2}", "{-1}", "{NULL}", "{}"]) {
      expect(await send("edge", lying(callOf(draftIntent({ tenantId })), { cause })), cause).toBe("42501");
    }
  });

  it("there are no effects but the six", async () => {
    const { tenantId } = await seeded();
    for (const effect of ["0", "-1", "5", "6", "7", "NULL"]) {
      const call = lying(callOf(draftIntent({ tenantId })), { effect: `{${effect}}` });
      expect(await send("edge", call), effect).toBe("42501");
      const one = encodeOne(signAppend(signers.edge, appendOf(creating(draftIntent({ tenantId })))));
      expect(await send("edge", one.with(3, effect === "NULL" ? null : effect)), effect).toBe("42501");
    }
  });

  it("an id that is said to be that of a later event is refused, at no cost", async () => {
    const { tenantId } = await seeded();
    for (const twin of ["{100000000}", "{2}", "{-7}"]) {
      expect(await send("edge", lying(callOf(draftIntent({ tenantId })), { twin })), twin).toBe("refused");
    }
    const twins = draftIntent({ tenantId });
    expect(await send("edge", lying(callOf(twins, twins), { twin: "{0,0}" }))).toBe("23505");
    expect(await wholeLog(tenantId)).toHaveLength(1);
  });

  it("a leaf that is none, or numbers that are missing, harm the caller's own proof only", async () => {
    const { tenantId } = await seeded();
    expect(await send("edge", lying(callOf(draftIntent({ tenantId })), { leaf: "{-1}", expected: "{}" }))).toBe(added);
    expect(await send("edge", lying(callOf(draftIntent({ tenantId })), { leaf: "{}" }))).toBe("23502");
    expect(await wholeLog(tenantId)).toHaveLength(2);
  });
});

describe("attack 10: fields that no service writes", () => {
  it("what readers would hash as other bytes than the database is refused", async () => {
    const origin = await seeded();
    const call = derived({ event: draftDerived(origin), effect: "derived", expectedVersion: "any" });
    const id = origin.id;
    const emits = [`[ "${id}" ]`, `["${id}",]`, `["${id}""${id}"]`, '["\\u0061"]', "null", "1.0", '{"a":1}', '["x"]'];
    const lookups = [
      '{"project/a": 1}',
      '{"project/a":1,"project/a":2}',
      '{"project/a":1,"project/b":1,"project/a":1}',
      '{"project/a":1.0}',
      '{"project/a":01}',
      '{"2":1,"1":2}',
      '{"project/\\u0061":1}',
      '{"project/a":9007199254740993}',
      "[]",
    ];
    for (const setting of ["select 1", "set standard_conforming_strings = off"]) {
      for (const text of emits) expect(await send("runtime", withRare(call, 12, text), setting), text).not.toBe(added);
      for (const text of lookups)
        expect(await send("runtime", withRare(call, 13, text), setting), text).not.toBe(added);
    }
    for (const [at, text] of [
      [12, "[]"],
      [12, `["${id}","${id}"]`],
      [13, "{}"],
      [13, '{"project/a":1,"project/aa":0,"project/b:1":9}'],
    ] as const) {
      const event = draftDerived(origin);
      const good = derived({ event, effect: "derived", expectedVersion: "any" });
      expect(await send("runtime", withRare(good, at, text)), text).toBe(added);
    }
    expect(await wholeLog(origin.tenantId)).toHaveLength(5);
  });

  it("names that no index of a work row could hold, and escapes in names, are refused", async () => {
    const { tenantId } = await seeded();
    const call = callOf(draftIntent({ tenantId }));
    const one = encodeOne(signAppend(signers.edge, appendOf(creating(draftIntent({ tenantId })))));
    for (const [field, parameter, size] of [
      [2, 8, 65],
      [3, 9, 129],
      [4, 10, 129],
    ] as const) {
      expect(await send("edge", withField(call, field, "a".repeat(size)))).toBe("42501");
      expect(await send("edge", one.with(parameter, "a".repeat(size)))).toBe("42501");
      expect(await send("edge", one.with(parameter, "a\u001d2\u001e1"))).toBe("42501");
    }
    const finalizers = '{"\\u0000":{"completed":false,"observedGeneration":0}}';
    expect(await send("edge", withRare(call, 6, finalizers))).toBe("42501");
    expect(await send("edge", one.with(19, finalizers))).toBe("42501");
    expect(await send("edge", one.with(12, `{"a":"${"x".repeat(8_388_608)}"}`))).toBe("42501");
    expect(await wholeLog(tenantId)).toHaveLength(1);
  });

  it("an event without an id is refused like any other that is not allowed", async () => {
    const { tenantId } = await seeded();
    expect(await send("edge", withField(callOf(draftIntent({ tenantId })), 1, ""))).toBe("42501");
  });

  it("nothing that can be appended stops the dispatch of its tenant", async () => {
    const { tenantId } = await seeded();
    // Random, or it would be compressed to what an index can hold.
    const name = randomBytes(2_000).toString("hex");
    const finalizers = `{"${name}":{"completed":false,"observedGeneration":0}}`;
    expect(await send("edge", withRare(callOf(draftIntent({ tenantId })), 6, finalizers))).toBe(added);
    const specText = '{"aggregateType":"a","aggregateId":"\\u0000","component":"\\ud800"}';
    const letter = draftIntent({ tenantId, aggregateType: "dead-letter", type: "dead-letter.redriven", specText });
    expect(await send("edge", callOf(letter))).toBe(added);
    await installation.asSuperuser(
      `insert into eventplane.work (tenant_id, aggregate_type, aggregate_id, component, state, dead_since)
       values ($1, 'organization', 'a', 'quota', 'dead', now())`,
      [tenantId],
    );
    const dispatch = "select events::integer from eventplane.work_dispatch($1, '{organization}', '{quota}', 100)";
    expect((await installation.pool("runtime").query(dispatch, [tenantId])).rows).toEqual([{ events: 3 }]);
  });
});
