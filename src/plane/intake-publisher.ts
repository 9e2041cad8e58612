/** Publishes the rows of an intake: the way of HTTP, as the principal that a row names, within what its intake was given. */
import { type Edge, type Grant, type IntentInput, type Principal, readPublishBody, Scopes } from "../edge/index.js";
import type { IntakeDefinition } from "../event/index.js";
import type { IntakeOutcome, IntakeRow } from "../intake/index.js";
import {
  assert,
  EventplaneError,
  isEventplaneError,
  PLATFORM_TENANT_ID,
  systemIds,
  type TenantId,
  uuid8,
} from "../kernel/index.js";

/** Where rows go. */
export type IntakeEdge = Pick<Edge, "pipeline" | "platform">;

const publisherGrants: ReadonlySet<Grant> = new Set(["publisher"]);
const nothing: ReadonlySet<Grant> = new Set();

/** Publishes for one intake. */
export class IntakePublisher {
  readonly #edge: IntakeEdge;
  readonly #definition: IntakeDefinition;
  readonly #scopes: Pick<Principal, "scopes">;

  constructor(edge: IntakeEdge, definition: IntakeDefinition) {
    const { types } = definition;
    this.#edge = edge;
    this.#definition = definition;
    this.#scopes = types === undefined ? {} : { scopes: new Scopes(types) };
  }

  /** Never throws an EventplaneError: those of the system mean `later`. */
  async publish(row: IntakeRow): Promise<IntakeOutcome> {
    try {
      return await this.#publish(row);
    } catch (error) {
      if (!isEventplaneError(error)) throw error;
      return { result: error.retryable ? "later" : "refused", error };
    }
  }

  async #publish(row: IntakeRow): Promise<IntakeOutcome> {
    const { name } = this.#definition;
    const { principal, tenantId } = this.#placeOf(row);
    const intent = await readIntent(row.intentText);
    const id = uuid8(tenantId, "intake", name, row.rowId);
    const named = intent instanceof EventplaneError ? intent : { ...intent, id, idFromOutsideKey: true };
    const [result] = await this.#edge.pipeline.publish(principal, tenantId, [named], {
      atomic: false,
      requestId: systemIds.uuid7(),
      via: `intake:${name}`,
    });
    assert(result !== undefined, "every intent has a result");
    if (result.result === "refused") throw result.error;
    const { id: eventId, position } = result.receipt;
    return { result: "accepted", isRepeated: result.result === "repeated", eventId, position };
  }

  /**
   * Whom the row names, in a tenant that the intake was given. In any other, and as anything that it may not speak for, the
   * intake asks for itself, which may do nothing anywhere: so the refusal is in the platform's log.
   */
  #placeOf({ tenant, principal: { type, id } }: IntakeRow): { principal: Principal; tenantId: TenantId } {
    const { name, tenants, principalTypes } = this.#definition;
    const entry = this.#edge.platform.fresh().tenant(tenant);
    const isGiven = entry !== undefined && (tenants === "all" || tenants.has(entry.id) || tenants.has(entry.slug));
    if (isGiven && entry.id !== PLATFORM_TENANT_ID && principalTypes.has(type)) {
      const principal = { type, id, tenantId: entry.id, grants: publisherGrants, ...this.#scopes };
      return { principal, tenantId: entry.id };
    }
    const principal = { type: "intake", id: name, tenantId: PLATFORM_TENANT_ID, grants: nothing };
    return { principal, tenantId: entry?.id ?? PLATFORM_TENANT_ID };
  }
}

/** What HTTP would take as a body with one intent that brings no id; else the error that says why not. */
async function readIntent(text: string | null): Promise<IntentInput | EventplaneError> {
  try {
    if (text === null) throw new EventplaneError("payload_too_large", "The row holds more than an intake takes.");
    const { intents, isList } = await readPublishBody(Buffer.from(text, "utf8"));
    const [intent] = intents;
    if (isList || intent === undefined)
      throw new EventplaneError("request_invalid", "A row of an intake is one intent.");
    if (intent instanceof EventplaneError || intent.id === undefined) return intent;
    const message = "An intent of an intake gets its id from its row. Leave it out.";
    throw new EventplaneError("forbidden_field", message, { details: { pointer: "/id" } });
  } catch (error) {
    if (isEventplaneError(error)) return error;
    throw error;
  }
}
