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
  scanJson,
  scanLargeJson,
  turnBytes,
} from "../../kernel/index.js";

/** One intent as its publisher wrote it; forms and types are checked by the event factory. */
export type IntentInput = Omit<IntentRequest, "tenantId"> & {
  /** Names this one intent for its repetitions, whatever request it comes with. */
  readonly idempotencyKey?: string | undefined;
};

/** What one request publishes; an item that cannot be read is the error that says so. */
export interface PublishBody {
  /** The body was `{intents: […]}`. */
  readonly isList: boolean;
  readonly atomic: boolean;
  readonly intents: readonly (IntentInput | EventplaneError)[];
  /** Moves the pointers of an error to where the body has what they mean; absent where they are right as they are. */
  readonly placed?: (error: EventplaneError) => EventplaneError;
}

type MemberType = "string" | "object" | "integer" | "expectation";

const memberTypes: ReadonlyMap<string, MemberType> = new Map<keyof IntentInput, MemberType>([
  ["type", "string"],
  ["aggregateType", "string"],
  ["aggregateId", "string"],
  ["spec", "object"],
  ["id", "string"],
  ["schemaVersion", "integer"],
  ["expectedVersion", "expectation"],
  ["expectedGeneration", "integer"],
  ["causationId", "string"],
  ["correlationId", "string"],
  ["occurredAt", "string"],
]);

const scanOptions = { capture: ["/spec", "/intents/*/spec"], captureBytesMax: limits.eventBytesMax } as const;

/**
 * Reads a body: one intent, or `{intents: […], atomic?}`.
 *
 * @throws EventplaneError `json_*`, `payload_too_large`, `too_many_events`, `request_invalid`; for a single intent also
 * `forbidden_field`. Errors of list items are returned in their place.
 */
export async function readPublishBody(bytes: Uint8Array): Promise<PublishBody> {
  const scanned =
    bytes.byteLength <= turnBytes ? scanJson(bytes, scanOptions) : await scanLargeJson(bytes, scanOptions);
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
    const expected = memberTypes.get(name);
    if (expected === undefined) throw forbidden(`${pointer}/${escapePointer(name)}`);
    if (!fits(expected, value)) throw wrongMember(expected, `${pointer}/${name}`);
  }
  if (typeof body.type !== "string")
    throw invalidAt(`${pointer}/type`, "An intent needs a type, such as organization.create.");
  const known = body as unknown as Partial<IntentInput>; // every member was checked against memberTypes
  // Spelled out: a copy of whatever members there are takes several times as long.
  return {
    type: body.type,
    aggregateType: known.aggregateType,
    aggregateId: known.aggregateId,
    spec: known.spec ?? {},
    specText: scanned.slices.get(`${pointer}/spec`) ?? "{}",
    id: known.id,
    schemaVersion: known.schemaVersion,
    expectedVersion: known.expectedVersion,
    expectedGeneration: known.expectedGeneration,
    causationId: known.causationId,
    correlationId: known.correlationId,
    occurredAt: known.occurredAt,
  };
}

function fits(expected: MemberType, value: JsonValue): boolean {
  switch (expected) {
    case "string":
      return typeof value === "string";
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "integer":
      return Number.isSafeInteger(value);
    default:
      return Number.isSafeInteger(value) || typeof value === "string";
  }
}

function wrongMember(expected: MemberType, pointer: string): EventplaneError {
  const what =
    expected === "expectation"
      ? "a whole number, noStream, streamExists or any"
      : expected === "integer"
        ? "a whole number"
        : `of type ${expected}`;
  return invalidAt(pointer, `This member must be ${what}.`);
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
