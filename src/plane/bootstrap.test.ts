/** Signing keys of a plane and their introductions. */
import { expect, test } from "vitest";
import { defineAggregate, defineApp } from "../controller/index.js";
import { basePolicySet } from "../edge/index.js";
import {
  createEd25519Signer,
  createVerifier,
  EventFactory,
  generateSigningKey,
  introduceKey,
  introductionSpec,
  KeyDirectory,
} from "../event/index.js";
import { PLATFORM_TENANT_ID, systemClock, systemIds } from "../kernel/index.js";
import { Coalescer, createMemoryStore } from "../store/index.js";
import { createTestApp, createTestKeys, testCausedBy } from "../testing/index.js";
import { Bootstrap } from "./bootstrap.js";

const from = "2026-01-01T00:00:00.000000Z";

test("a runtime key that was introduced before runtimes made intents is introduced anew, once, for all that it ever made", async () => {
  const rootKey = generateSigningKey();
  const root = createEd25519Signer({ privateKey: rootKey.privateKeyPem, tier: "operator" });
  const runtimeKey = generateSigningKey();
  const signer = createEd25519Signer({ privateKey: runtimeKey.privateKeyPem, tier: "runtime" });
  const store = createMemoryStore({ clock: systemClock });
  const log = new Coalescer({ appender: store.edge, signer: root, clock: systemClock });
  const key = { publicKey: runtimeKey.publicKey, tier: "runtime", kinds: ["fact", "internal"], from } as const;
  const old = introduceKey(root, key);
  const factory = new EventFactory({ app: createTestApp({}), ids: systemIds });
  const fact = { tenantId: PLATFORM_TENANT_ID, type: "signing-key.introduced", aggregateId: old.keyId } as const;
  await log.append({
    tenantId: PLATFORM_TENANT_ID,
    items: [factory.systemFact({ ...fact, spec: introductionSpec(old) }, testCausedBy)],
  });
  for (let start = 0; start < 2; start++) {
    const directory = new KeyDirectory(rootKey.publicKey);
    const parts = { reader: store.reader, directory, clock: systemClock, ids: systemIds, edgeName: "edge-1" };
    const withoutRoot = new Bootstrap({ ...parts, directory: new KeyDirectory(rootKey.publicKey) });
    await withoutRoot.introduce([{ signer, publicKey: runtimeKey.publicKey }], undefined);
    await new Bootstrap(parts).introduce([{ signer, publicKey: runtimeKey.publicKey }], { signer: root, log });
    expect(directory.get(signer.keyId).introduction).toMatchObject({
      kinds: ["intent", "fact", "internal"],
      from,
      to: null,
    });
  }
  const rows = await store.reader.read(PLATFORM_TENANT_ID, {});
  expect(rows).toHaveLength(2);
  const verifier = createVerifier(new KeyDirectory(rootKey.publicKey));
  for (const row of rows) verifier.verify(row);
});

test("the base policies are noted in the platform's log once for each content", async () => {
  const store = createMemoryStore({ clock: systemClock });
  const { edge: signer, directory } = createTestKeys();
  const log = new Coalescer({ appender: store.edge, signer, clock: systemClock });
  const parts = { reader: store.reader, directory, clock: systemClock, ids: systemIds, edgeName: "edge-1" };
  for (let start = 0; start < 2; start++) await new Bootstrap(parts).registerBasePolicies(log);
  const rows = await store.reader.read(PLATFORM_TENANT_ID, {});
  expect(rows.map(({ type, aggregateId }) => [type, aggregateId])).toEqual([
    ["policy-base.registered", basePolicySet.hash],
  ]);
  expect(JSON.parse(rows[0]?.specText ?? "{}")).toEqual({ hash: basePolicySet.hash, policies: basePolicySet.policies });
});

test("a changed schema under its number stops the plane, a compatible one under the next is noted", async () => {
  const store = createMemoryStore({ clock: systemClock });
  const { edge: signer, directory } = createTestKeys();
  const log = new Coalescer({ appender: store.edge, signer, clock: systemClock });
  const steps = new Bootstrap({
    reader: store.reader,
    directory,
    clock: systemClock,
    ids: systemIds,
    edgeName: "edge-1",
  });
  const register = (schemaVersion: number, members: Readonly<Record<string, object>>): Promise<void> => {
    const spec = { type: "object", properties: members };
    const house = defineAggregate("house", { spec, schemaVersion, intents: { build: { creates: true } } });
    return steps.registerSchemas(defineApp({ aggregates: [house] }), log);
  };
  const name = { type: "string" };
  await register(1, { name });
  await register(1, { name });
  await expect(register(1, { name, floor: name })).rejects.toMatchObject({ code: "schema_changed" });
  await register(2, { name, floor: name });
  await expect(register(3, { name })).rejects.toMatchObject({ code: "schema_incompatible" });
  await register(1, { name });
  const rows = await store.reader.read(PLATFORM_TENANT_ID, {});
  expect(rows.map(({ type, aggregateId }) => [type, aggregateId])).toEqual([
    ["schema.registered", "house.build:1"],
    ["schema.registered", "house.build:2"],
  ]);
});

test("of two processes that register different schemas under one number, one starts", async () => {
  const store = createMemoryStore({ clock: systemClock });
  const { edge: signer, directory } = createTestKeys();
  const log = new Coalescer({ appender: store.edge, signer, clock: systemClock });
  const parts = { reader: store.reader, directory, clock: systemClock, ids: systemIds, edgeName: "edge-1" };
  const starts = ["string", "integer"].map((type) => {
    const spec = { type: "object", properties: { name: { type } } };
    const house = defineAggregate("house", { spec, intents: { build: { creates: true } } });
    return new Bootstrap(parts).registerSchemas(defineApp({ aggregates: [house] }), log);
  });
  const results = await Promise.allSettled(starts);
  expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
});
