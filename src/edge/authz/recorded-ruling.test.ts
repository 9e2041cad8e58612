import { describe, expect, test } from "vitest";
import { PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import type { Grant } from "../principal.js";
import { type RuledEvent, recordedQuestion } from "./recorded-ruling.js";
import { type Question, rulingIdOf } from "./ruling.js";

const tenantId = "01900000-0000-7000-8000-00000000000a" as TenantId;
const principal = (home: TenantId, ...grants: Grant[]): Question["principal"] => ({
  type: "user",
  id: "p",
  tenantId: home,
  grants: new Set(grants),
});
const eventOf = (question: Question, more: Partial<RuledEvent> = {}): RuledEvent => ({
  tenantId: question.tenantId,
  kind: "intent",
  type: "organization.create",
  aggregateId: "x",
  specText: "{}",
  ...more,
  causedBy: {
    principal: { type: question.principal.type, id: question.principal.id },
    via: "http",
    requestId: "r",
    rulingId: rulingIdOf("hash", question),
    policySetHash: "hash",
    policies: [],
    edge: "e",
    keyId: null,
    at: "2026-01-01T00:00:00.000000Z",
  },
});

describe("the question of a recorded ruling", () => {
  const cases: readonly (readonly [string, Question, Partial<RuledEvent>])[] = [
    [
      "of an intent, whatever the grants were",
      {
        principal: principal(tenantId, "publisher", "admin"),
        action: "PublishIntent",
        tenantId,
        resource: "type:organization.create",
      },
      {},
    ],
    [
      "of a fact of a source, which has no grants",
      { principal: principal(tenantId), action: "PublishFact", tenantId, resource: "type:github.push" },
      { kind: "fact", type: "github.push" },
    ],
    [
      "of a refusal, from its spec",
      { principal: principal(tenantId, "reader"), action: "Subscribe", tenantId, resource: "aggregate:note" },
      { kind: "fact", type: "refusal.recorded", specText: '{"action":"Subscribe","resource":"aggregate:note"}' },
    ],
    [
      "of what an operator administered in a tenant",
      {
        principal: principal(PLATFORM_TENANT_ID, "admin"),
        action: "Administer",
        tenantId,
        resource: "area:dead-letters",
      },
      { kind: "fact", type: "dead-letter.redriven" },
    ],
    [
      "of a key that was made, in the platform's log",
      { principal: principal(tenantId, "admin"), action: "Administer", tenantId, resource: "area:keys" },
      { tenantId: PLATFORM_TENANT_ID, type: "key.create", specText: JSON.stringify({ tenantId }) },
    ],
  ];
  test.each(cases)("is found %s", (_name, question, more) => {
    expect(recordedQuestion(eventOf(question, more))).toEqual(question);
  });

  test("is not guessed: an event whose type or principal was changed afterwards has none", () => {
    const question: Question = {
      principal: principal(tenantId, "publisher"),
      action: "PublishIntent",
      tenantId,
      resource: "type:organization.create",
    };
    expect(recordedQuestion(eventOf(question, { type: "organization.delete" }))).toBeUndefined();
    const event = eventOf(question);
    const forged = { ...event, causedBy: { ...event.causedBy, principal: { type: "user", id: "somebody-else" } } };
    expect(recordedQuestion(forged)).toBeUndefined();
  });
});
