/** How the whole plane stands. */
import { exampleIds, exampleTime } from "./examples.js";
import { json, type Operations } from "./operation.js";
import { list, members, text, time, uuid, whole } from "./schema-parts.js";

const seconds = { type: "number" } as const;
const process = members({
  processId: uuid(),
  name: text(),
  roles: list(text()),
  version: text(),
  codeVersion: text(),
  reasons: list(text()),
  degraded: list(text()),
  startedAt: time(),
  seenSeconds: seconds,
});
const consumer = members({
  consumer: text(),
  tenants: whole(),
  tenantsBehind: whole(),
  eventsBehind: whole(),
  eventsBehindMax: whole(),
});
const work = members({
  component: text(),
  due: whole(),
  later: whole(),
  leased: whole(),
  dead: whole(),
  oldestSeconds: seconds,
});
const leader = members({ projection: text(), processId: uuid(), epoch: whole(), leaseSeconds: seconds });
const status = members({
  processes: list(process),
  consumers: list(consumer),
  work: list(work),
  leaders: list(leader),
});
const exampleProcess = {
  processId: exampleIds.event,
  name: "edge",
  roles: ["edge"],
  version: "0.1.0",
  codeVersion: "",
  reasons: [],
  degraded: [],
  startedAt: exampleTime,
  seenSeconds: 1.2,
};
const example = {
  processes: [exampleProcess],
  consumers: [{ consumer: "work", tenants: 40, tenantsBehind: 1, eventsBehind: 3, eventsBehindMax: 3 }],
  work: [{ component: "quota", due: 1, later: 0, leased: 2, dead: 0, oldestSeconds: 0.1 }],
  leaders: [{ projection: "organizations_by_plan", processId: exampleIds.event, epoch: 4, leaseSeconds: 8.5 }],
};

/** By method and address. */
export const statusOperations: Operations = {
  "GET /v1/admin/status": {
    id: "getStatus",
    tag: "Processes",
    summary: "Processes, consumers, work rows and leaders of the whole plane",
    answers: { 200: { description: "How the plane stands now.", content: json(status, example) } },
    errors: [],
  },
};
