/** The published test vectors of docs/reference/vectors.json: every definition of docs/reference/proofs.md, on fixed inputs. */
import { createPrivateKey } from "node:crypto";
import {
  canonicalJson,
  chainHash,
  commitMessage,
  contentHash,
  createEd25519Signer,
  type DraftEvent,
  derivedEventId,
  effectKey,
  effectResultId,
  emitComponent,
  emittedEventId,
  eventDigest,
  genesisHash,
  introduceKey,
  introductionMessage,
  leafHash,
  merklePath,
  merkleRoot,
  publicKeyOf,
  seededRandom,
  signCommit,
  signingKeyId,
  storedProof,
} from "../../src/event/index.js";
import {
  EVENTPLANE_NS,
  type EventId,
  fields,
  type JsonObject,
  PLATFORM_TENANT_ID,
  parseUs,
  type Signer,
  type TenantId,
  type Tier,
  uuid5,
  uuid8,
} from "../../src/kernel/index.js";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const utf8 = (text: string): Buffer => Buffer.from(text, "utf8");
const dnsNamespace = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
const pkcs8Prefix = "302e020100300506032b657004220420";

/** Never use these keys for anything else: their seeds are published. */
function testKey(
  seedByte: number,
  tier: Tier,
): { readonly seed: string; readonly publicKey: string; readonly signer: Signer } {
  const seed = Buffer.alloc(32, seedByte);
  const der = Buffer.concat([Buffer.from(pkcs8Prefix, "hex"), seed]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return { seed: hex(seed), publicKey: publicKeyOf(privateKey), signer: createEd25519Signer({ privateKey, tier }) };
}

const tenantId = "0190f1d2-7c3a-7b5e-9f00-000000000001" as TenantId;
const intent: DraftEvent = {
  id: "0190f1d2-7c3a-7b5e-9f00-0000000000a1" as EventId,
  tenantId,
  kind: "intent",
  aggregateType: "organization",
  aggregateId: "acme-1",
  type: "organization.create",
  schemaVersion: 1,
  specText: '{"name":"Acmé 株式会社","plan":"team"}',
  statusText: "{}",
  finalizersText: '{"quota":{"completed":false,"observedGeneration":0}}',
  source: null,
  causedByText: '{"principal":{"type":"apiKey","id":"k1"},"via":"http"}',
  correlationId: "0190f1d2-7c3a-7b5e-9f00-0000000000a1",
  causationId: null,
  decision: null,
  keyRefsText: null,
  occurredAt: null,
  traceparent: null,
};

function derived(): DraftEvent {
  const { id, component, basisVersion, step } = derivedIds()[0];
  return {
    ...intent,
    id: id as EventId,
    kind: "fact",
    type: "organization.create.quota",
    specText: "{}",
    statusText: '{"quota":{"members":25}}',
    finalizersText: '{"quota":{"completed":true,"observedGeneration":1}}',
    causationId: intent.id,
    decision: { component, basisVersion, step, now: "2026-01-31T09:30:00.000250Z" },
    traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  };
}

/** Every optional part present, white space in a payload, times before 1970. */
const everything: DraftEvent = {
  ...intent,
  id: "f81d4fae-7dec-41d0-a765-00a0c91e6bf6" as EventId,
  kind: "internal",
  specText: '{ "n": 1.50,\n  "s": "\\u00e9" }',
  source: "billing-gateway",
  correlationId: "7d444840-9dc0-41d1-b245-5ffdce74fad2",
  causationId: intent.id,
  decision: {
    component: "dead-letter:quota",
    basisVersion: 9_007_199_254_740_991,
    step: 3,
    now: "1969-12-31T23:59:59.999999Z",
    emits: ["35ef1c25-ccc6-537f-8859-408811bdce5b"],
    lookups: { "project/p-1": 4 },
  },
  keyRefsText: '{"/name":"key-1"}',
  occurredAt: "1969-07-20T20:17:40.000000Z",
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
};

/** The second is the first with its members in another order. */
const effectInputs: readonly JsonObject[] = [
  { plan: "team", organization: "acme", limits: { seats: 3, regions: ["eu", "us"] } },
  { limits: { regions: ["eu", "us"], seats: 3 }, organization: "acme", plan: "team" },
  { name: "株", ratio: 0.1, none: null },
];

interface DerivedIdVector {
  readonly component: string;
  readonly basisVersion: number;
  readonly step: number;
  readonly id: string;
}

function derivedIds(): [DerivedIdVector, ...DerivedIdVector[]] {
  const of = (component: string, basisVersion: number, step: number): DerivedIdVector => ({
    component,
    basisVersion,
    step,
    id: derivedEventId({ tenantId, originId: intent.id, component, basisVersion, step }),
  });
  return [of("quota", 1, 0), of("runtime", 3, 0), of("dead-letter:quota", 4_294_967_296, 2)];
}

function emittedIds(): readonly object[] {
  const of = (aggregateType: string, spec: JsonObject): object => {
    const parts = { tenantId, originId: intent.id, component: emitComponent("projects"), aggregateType };
    const named = { ...parts, type: `${aggregateType}.create`, aggregateId: "web-1", specText: canonicalJson(spec) };
    return { ...named, id: emittedEventId(named) };
  };
  return [of("project", { name: "株", tags: ["b", "a"] }), of("organization", { plan: null })];
}

function chain(events: readonly DraftEvent[], proofs: readonly Uint8Array[]): readonly object[] {
  let previousHash: Uint8Array = genesisHash(tenantId, 1);
  return events.map((event, index) => {
    const place = {
      position: index + 1,
      version: index + 1,
      recordedAtUs: (parseUs("2026-01-31T09:30:00.000001Z") ?? 0) + index,
      proof: proofs[index] ?? new Uint8Array(),
    };
    const hash = chainHash({ ...place, previousHash }, eventDigest(event));
    const link = { ...place, proof: hex(place.proof), previousHash: hex(previousHash), hash: hex(hash) };
    previousHash = hash;
    return link;
  });
}

function merkleVector(size: number): object {
  const leaves = Array.from({ length: size }, (_, index) => utf8(`leaf ${index}`));
  const hashes = leaves.map(leafHash);
  const paths = hashes.map((_, index) => merklePath(hashes, index).map(hex));
  return { leaves: leaves.map(hex), root: hex(merkleRoot(hashes)), paths };
}

/** All vectors, as the value of docs/reference/vectors.json. */
export function makeVectors(): object {
  const root = testKey(1, "operator");
  const edge = testKey(2, "edge");
  const events = [intent, derived(), everything];
  const digests = events.map(eventDigest);
  const commitRoot = merkleRoot(digests.map(leafHash));
  const commitProof = signCommit(edge.signer, digests);
  const proofs = digests.map((_, index) => storedProof(commitProof, { index, back: index }));
  const open = {
    publicKey: edge.publicKey,
    tier: "edge",
    kinds: ["intent", "fact"],
    from: "2026-01-01T00:00:00Z",
  } as const;
  const introductions = [
    introduceKey(root.signer, open),
    introduceKey(root.signer, { ...open, to: "2027-01-01T00:00:00.5Z" }),
  ];
  const values: (Uint8Array | undefined)[] = [utf8("a"), undefined, new Uint8Array(), utf8("株")];
  const random = seededRandom(intent.id, "quota", 1);
  return {
    about:
      "Test vectors of docs/reference/proofs.md. Bytes are lower-case hex, times microseconds since 1970. The keys are for tests only.",
    namespaces: { dns: dnsNamespace, eventplane: EVENTPLANE_NS, platformTenantId: PLATFORM_TENANT_ID },
    fields: { values: values.map((value) => (value === undefined ? null : hex(value))), bytes: hex(fields(values)) },
    uuid5: [
      { namespace: dnsNamespace, name: hex(utf8("eventplane")), uuid: uuid5(dnsNamespace, utf8("eventplane")) },
      { namespace: EVENTPLANE_NS, name: hex(utf8("platform")), uuid: uuid5(EVENTPLANE_NS, utf8("platform")) },
    ],
    uuid8: [["eventplane.key.v1", edge.publicKey], ["a", "bc"], ["ab", "c"], [""]].map((parts) => ({
      parts,
      uuid: uuid8(...parts),
    })),
    derivedIds: { tenantId, originId: intent.id, ids: derivedIds() },
    // The ask is any UUID here.
    effectResultIds: {
      tenantId,
      askId: intent.id,
      worker: "billing-customer",
      id: effectResultId(tenantId, intent.id, "billing-customer"),
    },
    effectKeys: effectInputs.map((input) => {
      const inputText = canonicalJson(input);
      return {
        controller: "billing",
        worker: "billing-customer",
        inputText,
        key: effectKey("billing", "billing-customer", inputText),
      };
    }),
    emittedIds: emittedIds(),
    random: { originId: intent.id, component: "quota", basisVersion: 1, values: [random(), random(), random()] },
    events: events.map((event, index) => ({
      event,
      content: hex(contentHash(event)),
      digest: hex(digests[index] ?? new Uint8Array()),
    })),
    merkle: [1, 2, 3, 4, 5, 7, 8, 9].map(merkleVector),
    keys: {
      root: { seed: root.seed, publicKey: root.publicKey, keyId: signingKeyId(root.publicKey) },
      edge: { seed: edge.seed, publicKey: edge.publicKey, keyId: signingKeyId(edge.publicKey) },
    },
    introductions: introductions.map((introduction) => ({
      introduction,
      message: hex(introductionMessage(introduction)),
    })),
    commit: { root: hex(commitRoot), message: hex(commitMessage(commitRoot)), proof: hex(commitProof) },
    genesis: [1, 2].map((logEpoch) => ({ tenantId, logEpoch, hash: hex(genesisHash(tenantId, logEpoch)) })),
    chain: { tenantId, logEpoch: 1, links: chain(events, proofs) },
  };
}
