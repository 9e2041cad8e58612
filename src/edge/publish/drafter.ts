/** From an intent as it was written to a draft with its conditions: id, envelope, schema. */
import {
  type AppDefinition,
  type AppendItem,
  type CausedBy,
  EventFactory,
  type IntentDefinition,
  type IntentRequest,
  liftSpec,
  type TenantTypes,
} from "../../event/index.js";
import {
  assert,
  compileSchema,
  EventplaneError,
  type IdSource,
  isUuid,
  type JsonObject,
  LruMap,
  type SchemaCheck,
  type SchemaProblem,
  type TenantId,
  uuid8,
  uuidVersion,
} from "../../kernel/index.js";
import type { PersonalData } from "../../personal/index.js";
import { compileStrangerSchema, findSecret } from "../../schema/index.js";
import type { SchemaBook } from "../platform/schema-book.js";
import type { Principal } from "../principal.js";
import type { IntentInput } from "./intent-input.js";
import { secretFound } from "./refusal-errors.js";

/** How the intents of a request get ids when they bring none. */
export interface Naming {
  readonly principal: Principal;
  readonly tenantId: TenantId;
  readonly idempotencyKey: string | undefined;
  readonly traceparent: string | undefined;
  /** The verified source whose facts these are. */
  readonly source: string | undefined;
  /** In a list the index is part of the name. */
  readonly isList: boolean;
}

/** What they mean is done when the draft is sealed. */
const takesMarks = { takesMarks: "x-eventplane-personal" } as const;
const publisherVersions: readonly number[] = [4, 7];
const envelopeBytes = 1_024;

/** The schemas of earlier versions of types, and the types that tenants registered themselves. */
export type RegisteredSchemas = Pick<SchemaBook, "find" | "tenantType" | "tenantVersion">;

/** Compiled schemas of tenants' types, and of earlier versions. */
const checksKept = 500;

/** Names and checks intents. */
export class Drafter {
  readonly #factory: EventFactory;
  readonly #personal: PersonalData;
  readonly #types: ReadonlyMap<string, CheckedType>;
  readonly #schemas: RegisteredSchemas;
  /** Of types of tenants, by what was folded last; those used last. */
  readonly #checked = new LruMap<IntentDefinition, CheckedType>(checksKept);
  readonly #earlier = new LruMap<JsonObject, SchemaCheck>(checksKept);

  constructor(options: {
    readonly app: AppDefinition;
    readonly ids: IdSource;
    readonly schemas: RegisteredSchemas;
    readonly personal: PersonalData;
  }) {
    this.#personal = options.personal;
    const ofTenant: TenantTypes = (tenantId, type) => options.schemas.tenantType(tenantId, type)?.definition;
    this.#factory = new EventFactory({ ...options, ofTenant });
    this.#schemas = options.schemas;
    this.#types = checkedTypes(options.app);
  }

  /** The intent with its tenant and, from its own key or the Idempotency-Key, its id: that header's UUIDv4 or 7 as it is, else a UUIDv8. */
  name(intent: IntentInput, index: number, naming: Naming): IntentRequest {
    const { principal, tenantId, idempotencyKey: key, isList } = naming;
    const { id, idFromOutsideKey, idempotencyKey: own } = intent;
    if (own !== undefined)
      return requestOf(intent, naming, { id: uuid8(tenantId, principal.id, own), idFromOutsideKey: true });
    if (id !== undefined || key === undefined) return requestOf(intent, naming, { id, idFromOutsideKey });
    const lower = key.toLowerCase();
    if (!isList && isUuid(lower) && publisherVersions.includes(uuidVersion(lower)))
      return requestOf(intent, naming, { id: lower, idFromOutsideKey: false });
    const derived = uuid8(tenantId, principal.id, isList ? `${key}/${index}` : key);
    return requestOf(intent, naming, { id: derived, idFromOutsideKey: true });
  }

  /**
   * The draft.
   *
   * @throws EventplaneError what the factory refuses; `spec_too_large`; `schema_violation` with the places; `secret_found` with the place and the rule;
   * `data_subject_missing`
   */
  draft(intent: IntentRequest, causedBy: CausedBy): AppendItem {
    const item = this.#factory.intent(intent, causedBy);
    const type = this.#types.get(intent.type) ?? this.#ofTenant(intent);
    refuseBeyondBudget(intent, type.definition);
    const problems = this.#checkOf(type, intent)(intent.spec);
    if (problems.length > 0) throw misfit(intent.type, problems);
    // What could not be lifted would stand in the way of every reader.
    liftSpec(type.definition, item.event, intent.spec);
    const secret = findSecret(intent.spec, { text: intent.specText, allowed: type.definition.allowSecrets });
    if (secret !== undefined) throw secretFound(`The spec of ${intent.type}`, secret, "/spec");
    this.#personal.check(item.event, this.#schemas);
    return item;
  }

  /** The type that the tenant registered; the factory has found it just now. */
  #ofTenant({ tenantId, type }: IntentRequest): CheckedType {
    const found = this.#schemas.tenantType(tenantId, type);
    assert(found !== undefined, "the factory refuses unknown types");
    const { definition } = found;
    const known = this.#checked.get(definition);
    if (known !== undefined) return known;
    const checked = { definition, check: compileStrangerSchema(definition.schema), isOfTenant: true };
    this.#checked.set(definition, checked);
    return checked;
  }

  /** Publishers may lag behind: a version that was registered is taken as long as its type is. */
  #checkOf({ definition, check, isOfTenant }: CheckedType, { tenantId, schemaVersion }: IntentRequest): SchemaCheck {
    if (schemaVersion === undefined || schemaVersion === definition.schemaVersion) return check;
    const { type } = definition;
    const earlier = isOfTenant
      ? this.#schemas.tenantVersion(tenantId, type, schemaVersion)
      : this.#schemas.find(type, schemaVersion);
    if (earlier === undefined) throw unknownVersion(definition, schemaVersion);
    const known = this.#earlier.get(earlier.schema);
    if (known !== undefined) return known;
    const compiled = isOfTenant ? compileStrangerSchema(earlier.schema) : compileSchema(earlier.schema, takesMarks);
    this.#earlier.set(earlier.schema, compiled);
    return compiled;
  }
}

function unknownVersion({ type, schemaVersion: latest }: IntentDefinition, schemaVersion: number): EventplaneError {
  const message = `There is no schemaVersion ${schemaVersion} of ${type}; its own is ${latest}.`;
  return new EventplaneError("unknown_type", message, { details: { pointer: "/schemaVersion" } });
}

/** Spelled out: a copy of whatever members there are takes several times as long. */
function requestOf(
  intent: IntentInput,
  { tenantId, traceparent, source }: Naming,
  { id, idFromOutsideKey }: Pick<IntentRequest, "id" | "idFromOutsideKey">,
): IntentRequest {
  return {
    tenantId,
    type: intent.type,
    aggregateType: intent.aggregateType,
    aggregateId: intent.aggregateId,
    spec: intent.spec,
    specText: intent.specText,
    id,
    idFromOutsideKey,
    schemaVersion: intent.schemaVersion,
    expectedVersion: intent.expectedVersion,
    expectedGeneration: intent.expectedGeneration,
    causationId: intent.causationId,
    correlationId: intent.correlationId,
    occurredAt: intent.occurredAt,
    traceparent: intent.traceparent ?? traceparent,
    source,
  };
}

/** An intent's type with its compiled schema. */
interface CheckedType {
  readonly definition: IntentDefinition;
  readonly check: SchemaCheck;
  readonly isOfTenant: boolean;
}

/** The first token of a type. */
export function typeRootOf(type: string): string {
  return type.split(".", 1)[0] ?? type;
}

/** Bytes of a draft, its envelope estimated from above. */
export function draftBytes({ event }: AppendItem): number {
  return (
    envelopeBytes +
    Buffer.byteLength(event.specText) +
    Buffer.byteLength(event.causedByText) +
    event.finalizersText.length
  );
}

/** Not `payload_too_large`, which is refused before ids are looked up: a budget may become smaller than what it let in (P5). */
function refuseBeyondBudget({ type, specText }: IntentRequest, { specBytesMax }: IntentDefinition): void {
  if (specBytesMax === undefined) return;
  const specBytes = Buffer.byteLength(specText);
  if (specBytes <= specBytesMax) return;
  const message = `The spec of ${type} has ${specBytes} bytes; its budget is ${specBytesMax}. Send what the controllers decide on, and refer to the rest.`;
  throw new EventplaneError("spec_too_large", message, { details: { pointer: "/spec", specBytes, specBytesMax } });
}

function misfit(type: string, problems: readonly SchemaProblem[]): EventplaneError {
  const said = problems.map(({ pointer, message }) => `${pointer === "" ? "the spec" : pointer} ${message}`).join("; ");
  return new EventplaneError("schema_violation", `The spec does not fit the schema of ${type}: ${said}.`, {
    details: { pointers: problems.map(({ pointer }) => `/spec${pointer}`) },
  });
}

function checkedTypes(app: AppDefinition): ReadonlyMap<string, CheckedType> {
  const intents = [...app.aggregates.values()].flatMap((aggregate) => [...aggregate.intents.values()]);
  return new Map(
    intents.map((definition) => [
      definition.type,
      { definition, check: compileSchema(definition.schema, takesMarks), isOfTenant: false },
    ]),
  );
}
