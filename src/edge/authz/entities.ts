/**
 * What policies see: the schema of principals, resources and actions, and a question in its terms.
 *
 * Entities are made here alone and always fit the schema, so it is held against policies when they are written, not against
 * every question: that took 7 times as long as the question itself.
 */
import { PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import type { Question, ResourceClass } from "./ruling.js";

/** The schema in Cedar's own syntax. */
export const cedarSchema = `namespace Eventplane {
  entity Tenant;
  entity Principal = {
    "type": String,
    "tenant": Tenant,
    "grants": Set<String>,
    "isOfPlatform": Bool,
  };
  entity Resource = {
    "tenant": Tenant,
    "isPlatform": Bool,
    "type"?: String,
    "aggregateType"?: String,
    "projection"?: String,
    "area"?: String,
  };
  action PublishIntent, PublishFact, Read, Subscribe, Administer appliesTo {
    principal: [Principal],
    resource: [Resource],
    context: {},
  };
}`;

/** A question as the engine takes it. */
export interface CedarQuestion {
  readonly principal: EntityId;
  readonly action: EntityId;
  readonly resource: EntityId;
  readonly context: Record<string, never>;
  readonly entities: CedarEntity[];
}

interface EntityId {
  type: string;
  id: string;
}

interface CedarEntity {
  uid: EntityId;
  attrs: Record<string, string | boolean | string[] | { __entity: EntityId }>;
  parents: never[];
}

/** The question as entities: the principal and the resource, nothing else. */
export function entitiesOf({ principal, action, tenantId, resource }: Question): CedarQuestion {
  const asking: CedarEntity = {
    uid: { type: "Eventplane::Principal", id: principal.id },
    attrs: {
      type: principal.type,
      tenant: tenantReference(principal.tenantId),
      grants: [...principal.grants],
      isOfPlatform: principal.tenantId === PLATFORM_TENANT_ID,
    },
    parents: [],
  };
  const asked: CedarEntity = {
    uid: { type: "Eventplane::Resource", id: resource },
    attrs: {
      tenant: tenantReference(tenantId),
      isPlatform: tenantId === PLATFORM_TENANT_ID,
      ...attributesOf(resource),
    },
    parents: [],
  };
  const wanted = { type: "Eventplane::Action", id: action };
  return { principal: asking.uid, action: wanted, resource: asked.uid, context: {}, entities: [asking, asked] };
}

/** What the class of a resource says of it. */
function attributesOf(resource: ResourceClass): Record<string, string> {
  const [kind = "", value = ""] = resource.split(":", 2);
  switch (kind) {
    case "type":
      return { type: value, aggregateType: value.split(".", 1)[0] ?? value };
    case "aggregate":
      return { aggregateType: value };
    case "projection":
      return { projection: value };
    case "area":
      return { area: value };
    default:
      return {};
  }
}

function tenantReference(tenantId: TenantId): { __entity: EntityId } {
  return { __entity: { type: "Eventplane::Tenant", id: tenantId } };
}
