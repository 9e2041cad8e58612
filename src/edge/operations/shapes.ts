/** The shapes that several routes take or answer: `#/components/schemas/…` of the document. */
import { scopePattern } from "../../event/index.js";
import { errorCodes, type JsonObject } from "../../kernel/index.js";
import { quotaDefinition, quotaMemberNames } from "../../quota/index.js";
import { grantNames } from "../principal.js";
import {
  aggregateId,
  aggregateType,
  anyObject,
  eventType,
  flag,
  hash,
  list,
  map,
  members,
  oneOf,
  orNull,
  shape,
  text,
  time,
  uuid,
  whole,
} from "./schema-parts.js";

const principal = members({ type: text(), id: text() });
const failure = members({ code: text(), message: text() });
const named = { aggregateType: aggregateType(), aggregateId: aggregateId() };

/** Who asked and who allowed it. */
const causedBy = members({
  principal,
  via: text(),
  requestId: uuid(),
  rulingId: uuid(),
  policySetHash: text(),
  policies: list(text()),
  edge: text(),
  keyId: orNull(uuid()),
  at: time(),
});

const eventMembers = {
  "latest?": members({ schemaVersion: whole(1), spec: anyObject() }),
  id: uuid(),
  tenantId: uuid(),
  kind: oneOf(["intent", "fact", "internal"]),
  ...named,
  version: whole(1),
  position: whole(1),
  type: eventType(),
  schemaVersion: whole(1),
  spec: anyObject(),
  status: anyObject(),
  finalizers: map(members({ completed: flag(), observedGeneration: whole() })),
  "source?": text(),
  causedBy,
  correlationId: uuid(),
  causationId: orNull(uuid()),
  "decision?": members({
    component: text(),
    basisVersion: whole(),
    step: whole(),
    now: time(),
    "emits?": list(uuid()),
    "lookups?": map(whole()),
  }),
  "keyRefs?": map(text()),
  "occurredAt?": time(),
  recordedAt: time(),
  "traceparent?": text(),
  hash: hash(),
  previousHash: hash(),
  logEpoch: whole(1),
};

const texts = members({
  spec: text(),
  status: text(),
  finalizers: text(),
  causedBy: text(),
  "keyRefs?": text(),
});

const stored = members({ stored: text(), "commit?": text(), texts });

const receipt = members({
  id: uuid(),
  tenantId: uuid(),
  ...named,
  version: whole(1),
  position: whole(1),
  generation: whole(),
  correlationId: uuid(),
  hash: hash(),
  recordedAt: time(),
});

const condition = members({
  type: text(),
  status: oneOf(["True", "False", "Unknown"]),
  reason: text(),
  message: text(),
  component: text(),
  observedGeneration: whole(),
  lastTransitionTime: time(),
});

const effectState = members({
  id: uuid(),
  controller: text(),
  worker: text(),
  state: oneOf(["pending", "dead", "unknown", "ok", "failed"]),
  "result?": anyObject(),
  "failure?": failure,
});

const resource = members({
  tenantId: uuid(),
  ...named,
  version: whole(1),
  position: whole(1),
  generation: whole(),
  lifecycle: oneOf(["none", "live", "deleting", "deleted"]),
  phase: oneOf(["Pending", "Progressing", "Ready", "Failed", "Deleting", "Deleted"]),
  spec: anyObject(),
  status: anyObject(),
  finalizers: map(members({ completed: flag(), observedGeneration: whole() })),
  conditions: list(condition),
  effects: list(effectState, { description: "What its controllers asked of workers since it was created." }),
  waitsFor: list(text(), { description: "Controllers that the current generation waits for." }),
  settled: orNull(oneOf(["ready", "deleted", "rejected"])),
  originId: orNull(uuid({ description: "The event that opened the current generation." })),
  createdAt: time(),
  updatedAt: time(),
});

const proof = members({
  eventId: uuid(),
  tenantId: uuid(),
  position: whole(1),
  keyId: text(),
  index: whole(),
  size: whole(1),
  path: list(text()),
  signature: text(),
  content: hash(),
  digest: hash(),
  texts,
});

const cloudEvent = members({
  specversion: oneOf(["1.0"]),
  id: uuid(),
  source: text(),
  type: eventType(),
  subject: text(),
  time: time(),
  datacontenttype: oneOf(["application/json"]),
  dataschema: text(),
  tenantid: uuid(),
  kind: oneOf(["intent", "fact", "internal"]),
  correlationid: uuid(),
  "causationid?": uuid(),
  authtype: text(),
  authid: text(),
  sequence: text({ pattern: "^[0-9]{16}$", description: "The position." }),
  streamversion: text(),
  recordedtime: time(),
  predecessorhash: hash(),
  "traceparent?": text(),
  data: anyObject({ description: "The spec." }),
});

const key = members({
  id: uuid(),
  tenantId: uuid(),
  name: text(),
  principalId: uuid(),
  grants: list(oneOf(grantNames)),
  scopes: orNull(list(text({ pattern: scopePattern }))),
  networks: orNull(list(text())),
  createdAt: time(),
  expiresAt: orNull(time()),
  revokedAt: orNull(time()),
  replaces: orNull(uuid()),
  replacedBy: orNull(uuid()),
  lastUsedOn: orNull(text({ format: "date" })),
});

const deadLetter = members({
  id: uuid(),
  tenantId: uuid(),
  ...named,
  component: text(),
  resource: members(named),
  attempts: whole(),
  failure,
  codeVersion: text(),
  generation: whole(),
  since: time(),
  waiting: whole(),
});

const effect = members({
  id: uuid(),
  tenantId: uuid(),
  worker: text(),
  controller: text(),
  ...named,
  state: oneOf(["waiting", "running", "blocked", "held", "dead"]),
  attempts: whole(),
  failure: orNull(failure),
  idempotencyKey: uuid(),
  correlationId: uuid(),
  askedAt: time(),
});

const policyVersion = {
  version: whole(1),
  eventId: uuid(),
  appliedAt: time(),
  principal,
  "restores?": whole(1),
};

const replayFilter = {
  "aggregateType?": aggregateType(),
  "aggregateIds?": list(aggregateId()),
  "types?": list(eventType()),
  "correlationId?": uuid(),
  "after?": whole(),
  "recordedFrom?": time(),
  "recordedBefore?": time(),
};

const replay = members({
  id: uuid(),
  tenantId: uuid(),
  target: members({ kind: oneOf(["controller"]), name: text() }),
  filter: members(replayFilter),
  until: whole(),
  ratePerSecond: { type: "number" },
  dryRun: flag(),
  allowEffects: flag(),
  wanted: oneOf(["running", "paused", "cancelled"]),
  state: oneOf(["pending", "running", "paused", "cancelled", "completed", "failed"]),
  progress: members({
    position: whole(),
    events: whole(),
    results: map(whole()),
    firstFailure: orNull(text()),
  }),
  reason: orNull(text()),
  createdAt: time(),
  updatedAt: time(),
});

const problem = members(
  {
    type: text({ description: "urn:eventplane:error:<code>" }),
    title: text(),
    status: { type: "integer", minimum: 400, maximum: 599 },
    code: oneOf(errorCodes, { description: "Stable: branch on this one, never on the texts." }),
    detail: text(),
    "requestId?": uuid(),
    retryable: flag({ description: "The same request may succeed when it is sent again." }),
    "retryAfterSeconds?": { type: "number" },
    "pointers?": list(text(), { description: "JSON pointers (RFC 6901) into the body." }),
  },
  { description: "RFC 9457. Further members are details of the code." },
);

/** By name. */
export const shapes: Readonly<Record<string, JsonObject>> = {
  Problem: problem,
  Receipt: receipt,
  Event: members(eventMembers),
  ProvenEvent: members({ ...eventMembers, proof: stored }),
  Proof: proof,
  CloudEvent: cloudEvent,
  Resource: resource,
  Key: key,
  DeadLetter: deadLetter,
  Effect: effect,
  Policies: members({
    tenantId: uuid(),
    version: whole(),
    text: text({ description: "A policy file: Cedar." }),
    appliedAt: orNull(time()),
    policySetHash: text(),
  }),
  PolicyVersion: members(policyVersion),
  PolicyVersionWithText: members({ ...policyVersion, text: text() }),
  Quota: members({
    tenantId: uuid(),
    version: whole(),
    setAt: orNull(time()),
    quota: { ...quotaDefinition.specSchema, description: "What was set." },
    limits: {
      ...quotaDefinition.specSchema,
      description: "What is in force.",
      required: quotaMemberNames.filter((name) => name !== "streams"),
    },
  }),
  Replay: replay,
  Tenant: members({ id: uuid(), slug: text(), "createdAt?": time() }),
  Decided: members({ receipt: shape("Receipt") }),
};
