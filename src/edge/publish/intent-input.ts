/**
 * From the bytes of a publish request to intents whose specs keep the exact text they came with.
 *
 * Only the members named here may be sent; everything that the edge, the store or a controller decides is refused, not
 * ignored, so nobody believes that a forged field was taken.
 */
import type { IntentRequest } from "../../event/index.js";
import {
  EventplaneError,
  isEventplaneError,
  type JsonObject,
  type JsonValue,
  limits,
  type ScannedJson,
  scanLargeJson,
} from "../../kernel/index.js";

/** One intent as its publisher wrote it; forms and types are checked by the event factory. */
export type IntentInput = Omit<IntentRequest, "tenantId">;

/** What one request publishes; an item that cannot be read is the error that says so. */
export interface PublishBody {
  /** The body was `{intents: […]}`. */
  readonly isList: boolean;
  readonly atomic: boolean;
  readonly intents: readonly (IntentInput | EventplaneError)[];
}

const memberTypes = {
  type: "string",
  aggregateType: "string",
  aggregateId: "string",
  spec: "object",
  id: "string",
  schemaVersion: "integer",
  expectedVersion: "expectation",
  expectedGeneration: "integer",
  causationId: "string",
  correlationId: "string",
  occurredAt: "string",
} as const;

type Member = keyof typeof memberTypes;

/**
 * Reads a body: one intent, or `{intents: […], atomic?}`.
 *
 * @throws EventplaneError `json_*`, `payload_too_large`, `too_many_events`, `request_invalid`; for a single intent also
 * `forbidden_field`. Errors of list items are returned in their place.
 */
export async function readPublishBody(bytes: Uint8Array): Promise<PublishBody> {
  const scanned = await scanLargeJson(bytes, {
    capture: ["/spec", "/intents/*/spec"],
    captureBytesMax: limits.eventBytesMax,
  });
  const body = objectAt(scanned.value, "");
  if (!("intents" in body))
    return { isList: false, atomic: false, intents: [readIntent(body, { scanned, pointer: "" })] };
  const { intents, atomic = false, ...rest } = body;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) throw forbidden(`/${escapePointer(unknown)}`);
  if (typeof atomic !== "boolean") throw invalidAt("/atomic", "atomic is true or false.");
  if (!Array.isArray(intents) || intents.length === 0)
    throw invalidAt("/intents", "intents is a list of at least one intent.");
  if (intents.length > limits.eventsPerRequestMax) {
    throw new EventplaneError(
      "too_many_events",
      `One request takes ${limits.eventsPerRequestMax} intents. Send the others in the next.`,
      {
        details: { pointer: "/intents", eventsMax: limits.eventsPerRequestMax },
      },
    );
  }
  // Array.isArray loses the readonly element type.
  const items = (intents as readonly JsonValue[]).map((item, index) =>
    readItem(item, { scanned, pointer: `/intents/${index}` }),
  );
  return { isList: true, atomic, intents: items };
}

interface Place {
  readonly scanned: ScannedJson;
  readonly pointer: string;
}

function readItem(value: JsonValue, place: Place): IntentInput | EventplaneError {
  try {
    return readIntent(objectAt(value, place.pointer), place);
  } catch (error) {
    if (isEventplaneError(error)) return error;
    throw error;
  }
}

function readIntent(body: JsonObject, { scanned, pointer }: Place): IntentInput {
  for (const [name, value] of Object.entries(body)) {
    const at = `${pointer}/${escapePointer(name)}`;
    if (!Object.hasOwn(memberTypes, name)) throw forbidden(at);
    checkMember(memberTypes[name as Member], value, at); // hasOwn above
  }
  if (typeof body.type !== "string")
    throw invalidAt(`${pointer}/type`, "An intent needs a type, such as organization.create.");
  const { spec = {}, ...rest } = body;
  const specText = scanned.slices.get(`${pointer}/spec`) ?? "{}";
  return { ...rest, spec, specText } as IntentInput; // every member was checked against memberTypes
}

function checkMember(expected: (typeof memberTypes)[Member], value: JsonValue, pointer: string): void {
  const isInteger = typeof value === "number" && Number.isSafeInteger(value);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  const fits =
    expected === "string"
      ? typeof value === "string"
      : expected === "object"
        ? isObject
        : expected === "integer"
          ? isInteger
          : isInteger || typeof value === "string";
  if (fits) return;
  const what =
    expected === "expectation"
      ? "a whole number, noStream, streamExists or any"
      : expected === "integer"
        ? "a whole number"
        : `of type ${expected}`;
  throw invalidAt(pointer, `This member must be ${what}.`);
}

function objectAt(value: JsonValue, pointer: string): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject; // the other cases are excluded
  throw invalidAt(pointer, "An intent is a JSON object.");
}

/** A member's name as a token of a JSON pointer, cut so that no input is repeated at length. */
function escapePointer(name: string): string {
  return name.slice(0, 64).replaceAll("~", "~0").replaceAll("/", "~1");
}

function invalidAt(pointer: string, message: string): EventplaneError {
  return new EventplaneError("request_invalid", message, { details: { pointer } });
}

function forbidden(pointer: string): EventplaneError {
  const message = "This member may not be sent: the edge and the store decide it, or it does not exist. Remove it.";
  return new EventplaneError("forbidden_field", message, { details: { pointer } });
}
