/** Specs of older versions, lifted to the version that the application knows now: on reading only, what is stored never changes. */
import {
  admitSealed,
  compileSchema,
  EventplaneError,
  isEventplaneError,
  type JsonObject,
  type SchemaCheck,
} from "../kernel/index.js";
import type { AppDefinition, IntentDefinition } from "./definitions.js";
import type { DraftEvent } from "./event.js";
import { deepFreeze, isJsonObject } from "./merge-patch.js";

/** What lifting needs of an event. */
export type LiftableEvent = Pick<DraftEvent, "id" | "tenantId" | "type" | "schemaVersion" | "keyRefsText">;

const checks = new WeakMap<IntentDefinition, SchemaCheck>();

/**
 * The spec as the type's schema is now, frozen; the spec itself where it is of that version, or of a later one, or where the
 * type has no upcasters, because every version takes what the one before took.
 *
 * @throws EventplaneError `upcast_failed` when a step throws, or what comes out does not fit the schema
 */
export function liftSpec(definition: IntentDefinition | undefined, event: LiftableEvent, spec: JsonObject): JsonObject {
  if (definition?.upcasters === undefined || event.schemaVersion >= definition.schemaVersion) return spec;
  let lifted = deepFreeze(spec);
  for (let at = event.schemaVersion; at < definition.schemaVersion; at++)
    lifted = deepFreeze(liftOnce(definition, { event, at, spec: lifted }));
  // What was encrypted may have been erased since, and nobody can check what is gone.
  const [problem] = event.keyRefsText === null ? checkOf(definition)(lifted) : [];
  if (problem === undefined) return lifted;
  throw failed(
    event,
    `what its upcasters make does not fit version ${definition.schemaVersion}: ${problem.pointer || "the spec"} ${problem.message}`,
  );
}

/** Lifts specs of an application's types. */
export type Lift = (event: LiftableEvent, spec: JsonObject) => JsonObject;

/** {@link liftSpec} for all types of an application. */
export function liftOf({ aggregates }: Pick<AppDefinition, "aggregates">): Lift {
  const intents = new Map([...aggregates.values()].flatMap((aggregate) => [...aggregate.intents]));
  return (event, spec) => liftSpec(intents.get(event.type), event, spec);
}

function liftOnce(
  { upcasters, type }: IntentDefinition,
  { event, at, spec }: { readonly event: LiftableEvent; readonly at: number; readonly spec: JsonObject },
): JsonObject {
  const upcast = upcasters?.get(at);
  if (upcast === undefined) throw failed(event, `${type} has no upcaster from version ${at}`);
  let lifted: unknown;
  try {
    lifted = JSON.parse(JSON.stringify(upcast(spec)) ?? "null"); // what JSON does not hold is not kept
  } catch (cause) {
    if (isEventplaneError(cause)) throw cause;
    throw failed(event, `its upcaster from version ${at} has thrown`, cause);
  }
  if (isJsonObject(lifted)) return lifted;
  throw failed(event, `its upcaster from version ${at} gave no object`);
}

function checkOf(definition: IntentDefinition): SchemaCheck {
  // What controllers emit holds sealed values in marked places, and names no keys.
  const known = checks.get(definition) ?? compileSchema(admitSealed(definition.schema, "beside"), { takesMarks: true });
  checks.set(definition, known);
  return known;
}

function failed({ id, tenantId, type, schemaVersion }: LiftableEvent, why: string, cause?: unknown): EventplaneError {
  return new EventplaneError(
    "upcast_failed",
    `Event ${id} (${type}, schemaVersion ${schemaVersion}) cannot be read: ${why}. Correct the upcaster and start again.`,
    { details: { tenantId, eventId: id, type, schemaVersion }, cause },
  );
}
