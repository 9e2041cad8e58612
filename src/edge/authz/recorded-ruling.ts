/**
 * The question that a recorded ruling answered. An event holds the ruling's id, which is a hash of the whole question, and most
 * of the question's parts; the few that it does not hold are tried until the id comes out. So what is found is certain.
 */
import type { CausedBy, EventRow } from "../../event/index.js";
import { type JsonObject, PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import { type Grant, grantNames } from "../principal.js";
import { type Action, actionNames, areaNames, type Question, type ResourceClass, rulingIdOf } from "./ruling.js";

/** What of an event says what was ruled on. */
export type RuledEvent = Pick<EventRow, "tenantId" | "kind" | "type" | "aggregateId" | "specText"> & {
  readonly causedBy: CausedBy;
};

interface Asked {
  readonly action: Action;
  readonly resource: ResourceClass;
}

const grantSets: readonly ReadonlySet<Grant>[] = Array.from(
  { length: 2 ** grantNames.length },
  (_, bits) => new Set(grantNames.filter((_name, index) => (bits >> index) % 2 === 1)),
);

/** The question, or undefined when nothing that could have been asked has the recorded id: the plane itself acted, for example. */
export function recordedQuestion(event: RuledEvent): Question | undefined {
  const { principal, policySetHash, rulingId } = event.causedBy;
  const spec = JSON.parse(event.specText) as JsonObject; // a spec is always a JSON object: the store's contract
  for (const { action, resource } of askedOf(event, spec))
    for (const tenantId of targetsOf(event, spec))
      for (const home of new Set([tenantId, PLATFORM_TENANT_ID]))
        for (const grants of grantSets) {
          const question = { principal: { ...principal, tenantId: home, grants }, action, tenantId, resource };
          if (rulingIdOf(policySetHash, question) === rulingId) return question;
        }
  return undefined;
}

/** What can have been asked for, the likeliest first. */
function askedOf({ kind, type }: RuledEvent, spec: JsonObject): readonly Asked[] {
  if (type === "refusal.recorded") {
    const action = actionNames.find((name) => name === spec["action"]) ?? "Read";
    // The class as it was recorded; an older event has none.
    return [{ action, resource: (spec["resource"] ?? "tenant") as ResourceClass }];
  }
  const administered = [...areaNames.map((area) => `area:${area}` as const), "tenant" as const].map((resource) => ({
    action: "Administer" as const,
    resource,
  }));
  const action = kind === "intent" ? "PublishIntent" : "PublishFact";
  return [{ action, resource: `type:${type}` }, { action, resource: "tenant" }, ...administered];
}

/** The tenants that it can be about: an event of the platform's log names one. */
function targetsOf({ tenantId, aggregateId }: RuledEvent, spec: JsonObject): ReadonlySet<TenantId> {
  if (tenantId !== PLATFORM_TENANT_ID) return new Set([tenantId]);
  const named = typeof spec["tenantId"] === "string" ? [spec["tenantId"]] : [];
  return new Set([...named, aggregateId, tenantId] as TenantId[]); // only compared by what they hash to
}
