/** Values that the examples of the document share: one organization of one tenant. */
import type { JsonObject } from "../../kernel/index.js";

/** Ids of the examples. */
export const exampleIds = {
  tenant: "8f14e45f-ceea-867f-9c3a-1d2e4b5a6c7d",
  event: "0190a6f2-7c1e-7b3a-9d52-3f8e1a2b4c5d",
  key: "0190a6f0-11aa-7c44-8e90-aa55bb66cc77",
  other: "0190a6f3-2b4d-7e5f-8a6b-0c1d2e3f4a5b",
  derived: "a6edc906-2f9f-5fb2-a373-efac406f0ef2",
  principal: "3d2c1b0a-9f8e-8d7c-8b6a-5f4e3d2c1b0a",
} as const;

const { tenant, event, key, other, principal } = exampleIds;
const at = "2026-01-31T09:30:00.000000Z";
const exampleHash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const spec = { name: "Acme", plan: "team", region: "eu" };

/** An intent as it is published. */
export const exampleIntent: JsonObject = { type: "organization.create", aggregateId: "acme", spec };

/** What is answered to it. */
export const exampleReceipt: JsonObject = {
  id: event,
  tenantId: tenant,
  aggregateType: "organization",
  aggregateId: "acme",
  version: 1,
  position: 17,
  generation: 1,
  correlationId: event,
  hash: exampleHash,
  recordedAt: at,
};

const causedBy = {
  principal: { type: "service", id: principal },
  via: "http",
  requestId: other,
  rulingId: exampleIds.derived,
  policySetHash: "b5bb9d8014a0f9b1",
  policies: ["base.publisher"],
  edge: "edge-1",
  keyId: key,
  at,
};

/** The event that it became. */
export const exampleEvent: JsonObject = {
  id: event,
  tenantId: tenant,
  kind: "intent",
  aggregateType: "organization",
  aggregateId: "acme",
  version: 1,
  position: 17,
  type: "organization.create",
  schemaVersion: 1,
  spec,
  status: {},
  finalizers: { quota: { completed: false, observedGeneration: 0 } },
  causedBy,
  correlationId: event,
  causationId: null,
  recordedAt: at,
  hash: exampleHash,
  previousHash: exampleHash,
  logEpoch: 1,
};

/** The same as a CloudEvent. */
export const exampleCloudEvent: JsonObject = {
  specversion: "1.0",
  id: event,
  source: `eventplane:/tenants/${tenant}`,
  type: "organization.create",
  subject: "organization/acme",
  time: at,
  datacontenttype: "application/json",
  dataschema: "eventplane:/schemas/organization.create/1",
  tenantid: tenant,
  kind: "intent",
  correlationid: event,
  authtype: "service",
  authid: principal,
  sequence: "0000000000000017",
  streamversion: "1",
  recordedtime: at,
  predecessorhash: exampleHash,
  data: spec,
};

/** A CloudEvent as it is published. */
export const exampleCloudEventSent: JsonObject = {
  specversion: "1.0",
  id: "order-4711",
  source: "https://shop.example.com",
  type: "organization.create",
  subject: "organization/acme",
  data: spec,
};

/** Its resource. */
export const exampleResource: JsonObject = {
  tenantId: tenant,
  aggregateType: "organization",
  aggregateId: "acme",
  version: 3,
  position: 19,
  generation: 1,
  lifecycle: "live",
  phase: "Ready",
  spec,
  status: { quota: { members: 25 } },
  finalizers: { quota: { completed: true, observedGeneration: 1 } },
  conditions: [
    {
      type: "Ready",
      status: "True",
      reason: "Completed",
      message: "Every controller is done.",
      component: "runtime",
      observedGeneration: 1,
      lastTransitionTime: at,
    },
  ],
  effects: [],
  waitsFor: ["quota"],
  settled: "ready",
  originId: event,
  createdAt: at,
  updatedAt: at,
};

/** The proof of the event. */
export const exampleProof: JsonObject = {
  eventId: event,
  tenantId: tenant,
  position: 17,
  keyId: exampleIds.derived,
  index: 0,
  size: 1,
  path: [],
  signature: "5kq0x3nV0",
  content: exampleHash,
  digest: exampleHash,
  texts: { spec: JSON.stringify(spec), status: "{}", finalizers: "{}", causedBy: JSON.stringify(causedBy) },
};

/** A time of the examples. */
export const exampleTime: string = at;
