import { expect, test } from "vitest";
import { z } from "zod";
import { defineAggregate, defineApp } from "../controller/index.js";
import type { AppendItem, EventRow } from "../event/index.js";
import { type EventId, type EventplaneError, systemIds } from "../kernel/index.js";
import { appending, createTestLog, draftIntent, draftSystemFact, newTenantId, VirtualClock } from "../testing/index.js";
import { subjectErased } from "./erased-fact.js";
import { KeyEncryptionKeys } from "./key-encryption-keys.js";
import { KeyRing } from "./key-ring.js";
import { MemoryDataKeys } from "./memory/index.js";
import { PersonalData } from "./personal-data.js";

const own = z.string().meta({ "x-eventplane-personal": { subject: "aggregateId" } });
const named = z.string().meta({ "x-eventplane-personal": { subject: "/owner/id" } });
const app = defineApp({
  aggregates: [
    defineAggregate("customer", {
      spec: z.object({ email: own.optional(), notes: z.array(own).optional(), plan: z.string() }),
      intents: { create: { creates: true }, change: {} },
    }),
    defineAggregate("pet", {
      spec: z.object({ name: named, owner: z.object({ id: z.string() }).optional() }),
      intents: { create: { creates: true } },
    }),
    defineAggregate("plain", { spec: z.object({ a: z.string() }), intents: { create: { creates: true } } }),
  ],
});
const kek = Buffer.alloc(32, 7).toString("base64url");

function bench() {
  const clock = new VirtualClock();
  const log = createTestLog(clock);
  const { tenantId } = log;
  const dataKeys = new MemoryDataKeys(log.store.reader, () => clock.nowUs());
  /** Another process: its own ring over the same keys. */
  const process = (): PersonalData =>
    new PersonalData({
      app,
      ring: new KeyRing({ store: dataKeys, keks: new KeyEncryptionKeys([kek]), clock, ids: systemIds }),
    });
  const item = (type: string, spec: object, text = JSON.stringify(spec)): AppendItem => {
    const [aggregateType = ""] = type.split(".");
    return appending(draftIntent({ tenantId, type, aggregateType, aggregateId: "c_1", specText: text }));
  };
  const noteErasure = async (subject: string): Promise<void> => {
    const { id, spec } = subjectErased(tenantId, subject);
    const fact = draftSystemFact({
      tenantId,
      id: id as EventId, // a UUIDv8
      type: "subject.erased",
      aggregateType: "subject",
      aggregateId: subject,
      specText: JSON.stringify(spec),
    });
    await log.add({ event: fact, effect: "system", expectedVersion: "any" });
  };
  const erase = async (subject: string): Promise<void> => {
    await noteErasure(subject);
    await dataKeys.destroy(tenantId, subject);
  };
  return { clock, log, tenantId, dataKeys, process, item, erase, noteErasure };
}

const sealed = async (personal: PersonalData, item: AppendItem): Promise<AppendItem["event"]> => {
  const [first] = await personal.seal(item.event.tenantId, [item]);
  return first!.event;
};
const codeOf = async (doing: () => unknown): Promise<string> => {
  try {
    await doing();
    return "done";
  } catch (error) {
    return (error as EventplaneError).code;
  }
};
const asRow = (event: AppendItem["event"]): EventRow => event as EventRow; // opening looks at the texts only

test("what is marked is sealed, with the key named at its place, and every other byte stays", async () => {
  const { process, item, tenantId } = bench();
  const text = '{ "plan":"te\\u0061m", "email" : "ada@example.com","notes":["x", "y"] }';
  const event = await sealed(process(), item("customer.create", {}, text));
  expect(event.specText).toMatch(
    /^\{ "plan":"te\\u0061m", "email" : "sealed:v1:[^"]+","notes":\["sealed:v1:[^"]+", "sealed:v1:[^"]+"\] \}$/,
  );
  expect(event.specText).not.toContain("ada");
  expect(Object.keys(JSON.parse(event.keyRefsText ?? ""))).toEqual(["/email", "/notes/0", "/notes/1"]);
  expect(new Set(Object.values(JSON.parse(event.keyRefsText ?? ""))).size).toBe(1);
  const [open] = await process().openRows(tenantId, [asRow(event)]);
  expect(open?.specText).toBe(text);
});

test("an intent without personal data is what it was, and costs no question", async () => {
  const { process, item, tenantId, dataKeys } = bench();
  const items = [item("plain.create", { a: "x" })];
  expect(process().seal(tenantId, items)).toBe(items);
  const absent = [item("customer.change", { plan: "team" })];
  expect(await process().seal(tenantId, absent)).toBe(absent);
  const rows = items.map(({ event }) => asRow(event));
  expect(process().openRows(tenantId, rows)).toBe(rows);
  expect(await dataKeys.list(tenantId, { limit: 10 })).toEqual([]);
});

test("every process seals the same intent to the same bytes, at once and after a restart", async () => {
  const { process, item } = bench();
  const intent = item("customer.create", { email: "ada@example.com", plan: "team" });
  const both = await Promise.all([sealed(process(), intent), sealed(process(), intent)]);
  const later = await sealed(process(), intent);
  expect(new Set([...both, later].map(({ specText, keyRefsText }) => specText + keyRefsText)).size).toBe(1);
});

test("whose it is may stand in the spec, and is asked for where it does not", async () => {
  const { process, item, tenantId, dataKeys } = bench();
  const personal = process();
  await sealed(personal, item("pet.create", { name: "Rex", owner: { id: "person-1" } }));
  expect((await dataKeys.list(tenantId, { limit: 10 })).map(({ subject }) => subject)).toEqual(["person-1"]);
  for (const spec of [{ name: "Rex" }, { name: "Rex", owner: { id: "Ada Lovelace" } }, { name: "Rex", owner: "x" }])
    expect(await codeOf(() => personal.check(item("pet.create", spec).event))).toBe("data_subject_missing");
});

test.each([
  ["as it is", (text: string) => text],
  ["behind an escape", (text: string) => text.replace("sealed", "\\u0073ealed")],
])(
  "a sealed value that a publisher brings (%s) is refused: it would be opened where it was brought",
  async (_name, written) => {
    const { process, item } = bench();
    const event = await sealed(process(), item("customer.create", { email: "ada@example.com", plan: "team" }));
    const { email } = JSON.parse(event.specText) as { readonly email: string };
    const moved = (type: string, spec: object): (() => unknown) => {
      const intent = item(type, {}, written(JSON.stringify(spec)));
      return () => process().check(intent.event);
    };
    expect(await codeOf(moved("plain.create", { a: email }))).toBe("forbidden_field");
    expect(await codeOf(moved("customer.change", { notes: ["x", email] }))).toBe("forbidden_field");
    expect(await codeOf(moved("plain.create", { a: `see "${email}"` }))).toBe("done");
  },
);

test("after the erasure nothing is sealed for the subject any more, and what was is a tombstone", async () => {
  const { process, item, erase, tenantId } = bench();
  const personal = process();
  const intent = item("customer.create", { email: "ada@example.com", plan: "team" });
  const event = await sealed(personal, intent);
  await erase("c_1");
  personal.forget(tenantId, "c_1");
  expect(await codeOf(() => personal.seal(tenantId, [intent]))).toBe("subject_erased");
  expect(await codeOf(() => personal.sealedAs(asRow(event), intent.event.specText))).toBe("subject_erased");
  const [row] = await personal.openRows(tenantId, [asRow(event)]);
  expect(JSON.parse(row?.specText ?? "")).toEqual({ email: { $erased: true }, plan: "team" });
});

test("a process that is not told of an erasure forgets the key within a second", async () => {
  const { process, item, erase, tenantId, clock } = bench();
  const other = process();
  const event = await sealed(other, item("customer.create", { email: "ada@example.com", plan: "team" }));
  await erase("c_1");
  await clock.advance(999);
  const [row] = await other.openRows(tenantId, [asRow(event)]);
  expect(row?.specText).toContain("$erased");
  expect(await codeOf(() => other.seal(tenantId, [item("customer.change", { email: "a@example.com" })]))).toBe(
    "subject_erased",
  );
});

test("a key that a crash has left behind an erasure is given to nobody, and is swept", async () => {
  const { process, item, noteErasure, tenantId, dataKeys } = bench();
  const event = await sealed(process(), item("customer.create", { email: "ada@example.com", plan: "team" }));
  await noteErasure("c_1");
  const [row] = await process().openRows(tenantId, [asRow(event)]);
  expect(row?.specText).toContain("$erased");
  expect(await dataKeys.sweep()).toBe(1);
  expect(await dataKeys.sweep()).toBe(0);
});

test("another tenant's key opens nothing, whatever the text names", async () => {
  const { process, item } = bench();
  const event = await sealed(process(), item("customer.create", { email: "ada@example.com", plan: "team" }));
  const [row] = await process().openRows(newTenantId(), [asRow(event)]);
  expect(row?.specText).not.toContain("ada");
});

test("an intent that is too large once it is encrypted is refused", async () => {
  const { process, item, tenantId } = bench();
  const notes = Array.from({ length: 900 }, () => "x".repeat(200));
  expect(await codeOf(() => process().seal(tenantId, [item("customer.create", { notes, plan: "" })]))).toBe(
    "payload_too_large",
  );
  const many = Array.from({ length: 1_001 }, () => "x");
  expect(await codeOf(() => process().check(item("customer.create", { notes: many, plan: "" }).event))).toBe(
    "payload_too_large",
  );
});

test("without a key-encryption key personal data are refused, and with another one they cannot be read", async () => {
  const { item, dataKeys, clock, tenantId, process } = bench();
  const ring = (keks: readonly string[]): PersonalData =>
    new PersonalData({
      app,
      ring: new KeyRing({ store: dataKeys, keks: new KeyEncryptionKeys(keks), clock, ids: systemIds }),
    });
  const intent = item("customer.create", { email: "ada@example.com", plan: "team" });
  expect(await codeOf(() => ring([]).seal(tenantId, [intent]))).toBe("config_invalid");
  const event = await sealed(process(), intent);
  const other = ring([Buffer.alloc(32, 8).toString("base64url")]);
  expect(await codeOf(() => other.openRows(tenantId, [asRow(event)]))).toBe("key_unknown");
  expect(await codeOf(() => new KeyEncryptionKeys(["short"]))).toBe("key_file_invalid");
});
