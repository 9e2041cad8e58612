/** Dead letters and effects. */
import type { JsonObject } from "../../kernel/index.js";
import { closed, decided, each, factCodes } from "./decisions.js";
import { exampleIds, exampleTime } from "./examples.js";
import { json, type Operations } from "./operation.js";
import { eventFilters, limit, tenant } from "./parameters.js";
import { anyObject, flag, list, members, oneOf, shape, text, time, uuid, whole } from "./schema-parts.js";

const word = text({ pattern: "^[A-Za-z0-9._:+-]{1,128}$" });

const letterFilter = {
  component: { schema: word, description: "A controller, or `effect:<worker>`.", example: "billing" },
  code: { schema: word, description: "What it failed with.", example: "effect_timeout" },
  codeVersion: { schema: word, description: "Version of the app's code that failed.", example: "1.4.2" },
  aggregateType: eventFilters.aggregateType,
  aggregateId: eventFilters.aggregateId,
  sinceFrom: { schema: time(), description: "Dead since then or later.", example: exampleTime },
  sinceBefore: { schema: time(), description: "Dead before then.", example: exampleTime },
} as const;
const exampleLetter: JsonObject = {
  id: exampleIds.derived,
  tenantId: exampleIds.tenant,
  aggregateType: "organization",
  aggregateId: "acme",
  component: "billing",
  resource: { aggregateType: "organization", aggregateId: "acme" },
  attempts: 5,
  failure: { code: "reconcile_failed", message: "TypeError: the plan is not known" },
  codeVersion: "1.4.2",
  generation: 2,
  since: exampleTime,
  waiting: 1,
};
const bodyFilter = members(
  Object.fromEntries(Object.entries(letterFilter).map(([name, { schema }]) => [`${name}?`, schema])),
  closed,
);
const decidedAll = members({
  dryRun: flag(),
  matched: whole(),
  heldLeft: whole(),
  takesMs: whole(),
  decided: whole(),
  skipped: whole(),
  "requestId?": uuid(),
});
const exampleDecided = { dryRun: true, matched: 12, heldLeft: 0, takesMs: 110, decided: 0, skipped: 0 };

const decisions = {
  redrive: "Let it be tried again",
  discard: "Give it up for good",
} as const;

const letterOperations: Operations = {
  "GET /v1/admin/dead-letters": {
    id: "listDeadLetters",
    tag: "Dead letters",
    summary: "List dead letters",
    query: { ...tenant, ...letterFilter, limit },
    answers: {
      200: {
        description: "The newest first.",
        content: json(members({ deadLetters: list(shape("DeadLetter")) }), { deadLetters: [exampleLetter] }),
      },
    },
    errors: [],
  },
  "GET /v1/admin/dead-letters/groups": {
    id: "groupDeadLetters",
    tag: "Dead letters",
    summary: "Count dead letters by component, code and version of the code",
    query: { ...tenant, ...letterFilter },
    answers: {
      200: {
        description: "The largest group first.",
        content: json(
          members({
            groups: list(
              members({
                component: text(),
                code: text(),
                codeVersion: text(),
                count: whole(1),
                oldest: time(),
                newest: time(),
              }),
            ),
          }),
          { groups: [] },
        ),
      },
    },
    errors: [],
  },
  "GET /v1/admin/dead-letters/:id": {
    id: "readDeadLetter",
    tag: "Dead letters",
    summary: "Read one dead letter",
    query: tenant,
    answers: { 200: { description: "The dead letter.", content: json(shape("DeadLetter"), exampleLetter) } },
    errors: ["not_found"],
  },
  ...each(decisions, (decision, summary) => ({
    [`POST /v1/admin/dead-letters/:id/${decision}`]: {
      id: `${decision}DeadLetter`,
      tag: "Dead letters",
      summary,
      query: tenant,
      answers: { 202: decided },
      errors: ["not_found", ...factCodes],
    },
    [`POST /v1/admin/dead-letters/${decision}`]: {
      id: `${decision}DeadLetters`,
      tag: "Dead letters",
      summary: `${summary}: all that a filter means`,
      description: "At most 10,000. Either a filter, or `all`.",
      query: tenant,
      body: json(
        members(
          {
            "filter?": bodyFilter,
            "all?": flag(),
            "dryRun?": flag(),
            ...(decision === "redrive"
              ? { "ratePerSecond?": { type: "number", minimum: 0.1, maximum: 1_000 } as JsonObject }
              : {}),
          },
          closed,
        ),
        { filter: { component: "billing" }, dryRun: true },
      ),
      answers: {
        200: { description: "What would be decided; nothing was.", content: json(decidedAll, exampleDecided) },
        202: {
          description: "What was decided.",
          content: json(decidedAll, { ...exampleDecided, dryRun: false, decided: 12, requestId: exampleIds.other }),
        },
      },
      errors: ["forbidden_field", ...factCodes],
    },
  })),
};

const exampleEffect: JsonObject = {
  id: exampleIds.derived,
  tenantId: exampleIds.tenant,
  worker: "billing-customer",
  controller: "billing",
  aggregateType: "organization",
  aggregateId: "acme",
  state: "held",
  attempts: 1,
  failure: { code: "effect_unknown", message: "The connection was lost before the answer." },
  idempotencyKey: exampleIds.derived,
  correlationId: exampleIds.event,
  askedAt: exampleTime,
};

const effectOperations: Operations = {
  "GET /v1/admin/effects": {
    id: "listEffects",
    tag: "Effects",
    summary: "List effects without a result",
    query: {
      ...tenant,
      state: {
        schema: oneOf(["waiting", "running", "blocked", "held", "dead"]),
        description: "Those in this state.",
        example: "held",
      },
    },
    answers: {
      200: {
        description: "Those that stand first; at most 1,000.",
        content: json(members({ effects: list(shape("Effect")) }), { effects: [exampleEffect] }),
      },
    },
    errors: [],
  },
  "GET /v1/admin/effects/:id": {
    id: "readEffect",
    tag: "Effects",
    summary: "Read one effect",
    query: tenant,
    answers: { 200: { description: "Not what was asked.", content: json(shape("Effect"), exampleEffect) } },
    errors: ["not_found"],
  },
  "POST /v1/admin/effects/:id/retry": {
    id: "retryEffect",
    tag: "Effects",
    summary: "Let the worker call again",
    description: "With the same idempotency key.",
    query: tenant,
    answers: { 202: decided },
    errors: ["not_found", "effect_not_standing", ...factCodes],
  },
  "POST /v1/admin/effects/:id/resolve": {
    id: "resolveEffect",
    tag: "Effects",
    summary: "Give the result by hand",
    description: "The first resolution counts. `ok` is checked with the worker's output schema.",
    query: tenant,
    body: json(
      {
        anyOf: [
          members({ ok: anyObject() }, closed),
          members(
            {
              failed: members({
                code: text({ pattern: "^[A-Za-z][A-Za-z0-9_]{0,63}$" }),
                message: text({ maxLength: 300 }),
              }),
            },
            closed,
          ),
        ],
      },
      { failed: { code: "card_declined", message: "The bank declined." } },
    ),
    answers: { 202: decided },
    errors: ["forbidden_field", "schema_violation", "secret_found", "not_found", "effect_not_standing", ...factCodes],
  },
};

/** By method and address. */
export const stuckWorkOperations: Operations = { ...letterOperations, ...effectOperations };
