/** The parameters of addresses and headers that routes share. */
import { limits } from "../../kernel/index.js";
import { exampleIds } from "./examples.js";
import type { Parameter } from "./operation.js";
import { aggregateId, aggregateType, eventType, oneOf, text, time, uuid, whole } from "./schema-parts.js";

/** Parameters by their names. */
type Named<Name extends string> = Readonly<Record<Name, Parameter>>;

/** Those in the path, by the name that the address gives them. */
export const pathParameters: Readonly<Record<string, Parameter>> = {
  file: { schema: text({ minLength: 1 }), description: "Name of the file.", example: "swagger-ui.css" },
  t: { schema: text({ minLength: 1 }), description: "Id or slug of the tenant.", example: "acme" },
  id: { schema: uuid(), description: "The id.", example: exampleIds.event },
  aggregateType: { schema: aggregateType(), description: "Name of the aggregate.", example: "organization" },
  aggregateId: { schema: aggregateId(), description: "Which one of them.", example: "acme" },
  correlationId: { schema: uuid(), description: "What the events have in common.", example: exampleIds.event },
  type: { schema: eventType(), description: "Type of the intent.", example: "organization.create" },
  version: { schema: whole(1), description: "The version, from 1.", example: 1 },
  name: { schema: text({ minLength: 1 }), description: "Name in the app's configuration.", example: "quota" },
  subject: { schema: aggregateId(), description: "Name of the data subject.", example: "cus_7f3a" },
  source: {
    schema: text({ minLength: 1 }),
    description: "Name of the source in the app's configuration.",
    example: "github",
  },
};

/** A place in the tenant's log. */
const position = (description: string): Parameter => ({ schema: whole(), description, example: 17 });

/** Which events are meant. */
export const eventFilters: Named<"kind" | "type" | "aggregateType" | "aggregateId" | "correlationId"> = {
  kind: { schema: oneOf(["intent", "fact", "internal"]), description: "Events of this kind.", example: "fact" },
  type: { schema: eventType(), description: "Events of this type.", example: "organization.create" },
  aggregateType: { schema: aggregateType(), description: "Events of this aggregate.", example: "organization" },
  aggregateId: { schema: aggregateId(), description: "Events of this one.", example: "acme" },
  correlationId: { schema: uuid(), description: "Events of this correlation.", example: exampleIds.event },
};

/** When they were recorded. */
export const recordedBetween: Named<"recordedFrom" | "recordedBefore"> = {
  recordedFrom: { schema: time(), description: "Recorded then or later.", example: "2026-01-31T09:30:00Z" },
  recordedBefore: { schema: time(), description: "Recorded before then.", example: "2026-02-01T00:00:00Z" },
};

/** Where a page begins and how long it is. */
export const after: Parameter = position("Events behind this position.");
/** Where a page read backwards begins. */
export const before: Parameter = position("Events before this position.");
/** Waits for what is folded. */
export const minPosition: Parameter = position("Waits up to 5 s until what is read holds this position.");
/** Size of a page. */
export const limit: Parameter = {
  schema: whole(1, { maximum: limits.readPageMax }),
  description: `At most so many; default 100.`,
  example: 100,
};

/** The credential of pages. */
export const accessToken: Named<"access_token"> = {
  access_token: {
    schema: text({ pattern: "^eps_" }),
    description: "A stream token, for pages, which cannot send a header; not beside one.",
    example: "eps_…",
  },
};

/** Whether positions are left out of a stream. */
export const filtered: Named<"eventplane-filtered"> = {
  "eventplane-filtered": {
    schema: oneOf(["true", "false"]),
    description: "Whether positions are left out.",
    example: "false",
  },
};

/** Whose administration it is. */
export const tenant: Named<"tenant"> = {
  tenant: {
    schema: text(),
    description: "Id or slug of the tenant that it is about; default the key's own.",
    example: "acme",
  },
};

/** Names a request for its repetitions. */
export const idempotencyKey: Named<"idempotency-key"> = {
  "idempotency-key": {
    schema: text({ pattern: "^[\\x21-\\x7e]{1,255}$" }),
    description: "The same one again means the same, for ever.",
    example: "order-4711",
  },
};

/** The generation, or the version, that it follows. */
export const ifMatch: Named<"if-match"> = {
  "if-match": {
    schema: text({ pattern: '^"\\d{1,15}"$' }),
    description: "What the ETag of the last read was; a mismatch is 412.",
    example: '"3"',
  },
};

/** The generation, or the version, that it has. */
export const etag: Named<"etag"> = {
  etag: { schema: text({ pattern: '^"\\d{1,15}"$' }), description: "Goes into If-Match.", example: '"3"' },
};

/** Where what was made is. */
export const location: Named<"location"> = {
  location: {
    schema: text(),
    description: "The address of what was made.",
    example: `/v1/tenants/${exampleIds.tenant}/events/${exampleIds.event}`,
  },
};

/** Says that it was there already. */
export const replayed: Named<"idempotent-replayed"> = {
  "idempotent-replayed": { schema: oneOf(["true"]), description: "It was there already.", example: "true" },
};

/** The next page of CloudEvents. */
export const link: Named<"link"> = {
  link: {
    schema: text(),
    description: "Of CloudEvents: the next page (RFC 8288).",
    example: '</v1/tenants/acme/events?after=17>; rel="next"',
  },
};
