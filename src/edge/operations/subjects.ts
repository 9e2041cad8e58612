/** Data subjects, and their erasure. */
import { closed, factCodes } from "./decisions.js";
import { exampleIds, exampleReceipt, exampleTime } from "./examples.js";
import { type Content, json, type Operations } from "./operation.js";
import { after, limit, replayed, tenant } from "./parameters.js";
import { aggregateId, list, members, oneOf, orNull, shape, text, time, uuid, whole } from "./schema-parts.js";

const kekId = text({ pattern: "^[0-9a-f]{16}$" });
const kept = { subject: aggregateId(), state: oneOf(["kept"]), keyId: uuid(), kekId } as const;
const erased = members(
  { subject: aggregateId(), state: oneOf(["erased"]), erasedAt: time(), eventId: uuid(), position: whole(1) },
  closed,
);
const exampleKept = { subject: "cus_7f3a", state: "kept", keyId: exampleIds.key, kekId: "9f86d081884c7d65" } as const;
const exampleErased = {
  subject: "cus_7f3a",
  state: "erased",
  erasedAt: exampleTime,
  eventId: exampleIds.event,
  position: 17,
} as const;
const receipt: Readonly<Record<string, Content>> = json(shape("Decided"), { receipt: exampleReceipt });

/** By method and address. */
export const subjectOperations: Operations = {
  "GET /v1/admin/subjects": {
    id: "listSubjects",
    tag: "Data subjects",
    summary: "List the data subjects that have a key",
    query: {
      ...tenant,
      after: { schema: aggregateId(), description: "Those behind this name.", example: "cus_7f3a" },
      limit,
    },
    answers: {
      200: {
        description: "By name.",
        content: json(
          members({ subjects: list(members({ ...kept, createdAt: time() }, closed)), next: orNull(aggregateId()) }),
          { subjects: [{ ...exampleKept, createdAt: exampleTime }], next: null },
        ),
      },
    },
    errors: [],
  },
  "GET /v1/admin/subjects/erased": {
    id: "listErasedSubjects",
    tag: "Data subjects",
    summary: "List the data subjects that were erased",
    query: { ...tenant, after, limit },
    answers: {
      200: {
        description: "In the order in which they were.",
        content: json(members({ subjects: list(erased), next: orNull(whole(1)) }), {
          subjects: [exampleErased],
          next: null,
        }),
      },
    },
    errors: [],
  },
  "GET /v1/admin/subjects/:subject": {
    id: "showSubject",
    tag: "Data subjects",
    summary: "Show a data subject",
    query: tenant,
    answers: {
      200: {
        description: "It has a key, or it was erased.",
        content: json({ anyOf: [members(kept, closed), erased] }, exampleKept),
      },
    },
    errors: ["not_found"],
  },
  "POST /v1/admin/subjects/:subject/erase": {
    id: "eraseSubject",
    tag: "Data subjects",
    summary: "Erase the personal data of a data subject, for ever",
    description: "Answered when `subject.erased` is in the tenant's log and the key is destroyed. It cannot be undone.",
    query: tenant,
    answers: {
      200: { description: "It had been erased.", headers: replayed, content: receipt },
      201: { description: "It is erased now.", content: receipt },
    },
    errors: factCodes,
  },
};
