/**
 * CloudEvents 1.0 as intents: one in the structured mode, or a batch. Their `data` keeps the exact text it came with.
 *
 * Attributes that say what only the plane decides are refused, and so are unknown ones: nothing that a publisher sent is
 * dropped in silence.
 */
import { dataSchemaOf } from "../../event/index.js";
import {
  EventplaneError,
  isEventplaneError,
  isUuid,
  type JsonObject,
  type JsonValue,
  limits,
  type ScannedJson,
  scanJson,
  scanLargeJson,
  turnBytes,
  uuidVersion,
} from "../../kernel/index.js";
import type { IntentInput, PublishBody } from "./intent-input.js";

/** Media types of the JSON format. */
export const cloudEventTypes = {
  single: "application/cloudevents+json",
  batch: "application/cloudevents-batch+json",
} as const;

const attributeNames = [
  "specversion",
  "id",
  "source",
  "type",
  "subject",
  "time",
  "datacontenttype",
  "dataschema",
  "data",
  "correlationid",
  "causationid",
  "traceparent",
] as const;
type Attribute = (typeof attributeNames)[number];
const publisherVersions: readonly number[] = [4, 7];
const jsonType = /^application\/json\s*(;\s*charset=utf-8)?$/i;
const versionOfSchema = /^[1-9]\d{0,8}$/;
const scanOptions = { capture: ["/data"], captureBytesMax: limits.eventBytesMax } as const;
const batchScanOptions = { capture: ["/*/data"], captureBytesMax: limits.eventBytesMax } as const;

/**
 * Reads a body of one of {@link cloudEventTypes}.
 *
 * @throws EventplaneError `json_*`, `payload_too_large`, `too_many_events`, `request_invalid`, `forbidden_field`; errors of events of a batch
 * are returned in their place
 */
export async function readCloudEvents(bytes: Uint8Array, form: "single" | "batch"): Promise<PublishBody> {
  const options = form === "single" ? scanOptions : batchScanOptions;
  const scanned = bytes.byteLength <= turnBytes ? scanJson(bytes, options) : await scanLargeJson(bytes, options);
  if (form === "single")
    return {
      isList: false,
      atomic: false,
      intents: [intentOf(scanned.value, { scanned, slice: "", pointer: "" })],
      placed,
    };
  if (!Array.isArray(scanned.value) || scanned.value.length === 0)
    throw invalid("", "A batch is a list of at least one CloudEvent.");
  if (scanned.value.length > limits.eventsPerRequestMax) {
    const message = `One request takes ${limits.eventsPerRequestMax} events. Send the others in the next.`;
    throw new EventplaneError("too_many_events", message, { details: { eventsMax: limits.eventsPerRequestMax } });
  }
  // Array.isArray loses the readonly element type.
  const intents = (scanned.value as readonly JsonValue[]).map((value, index) => {
    try {
      return intentOf(value, { scanned, slice: `/${index}`, pointer: `/intents/${index}` });
    } catch (error) {
      if (isEventplaneError(error)) return error;
      throw error;
    }
  });
  return { isList: true, atomic: false, intents, placed };
}

interface Place {
  readonly scanned: ScannedJson;
  /** Where it is in the body. */
  readonly slice: string;
  /** As the pipeline names it: {@link placed} turns that into where it is. */
  readonly pointer: string;
}

/** Members of an intent whose names CloudEvents has others for. */
const attributeOf: Readonly<Record<string, Attribute>> = {
  spec: "data",
  aggregateType: "subject",
  aggregateId: "subject",
  schemaVersion: "dataschema",
  occurredAt: "time",
  correlationId: "correlationid",
  causationId: "causationid",
};

/** The error with its pointers where the publisher wrote what they mean. */
function placed(error: EventplaneError): EventplaneError {
  const { pointer, pointers, ...rest } = error.details;
  if (pointer === undefined && pointers === undefined) return error;
  const given = Array.isArray(pointers) ? pointers.map(String) : [String(pointer)];
  const moved = given.map((each) => {
    const [, index = "", member = "", inside = ""] = /^(?:\/intents(\/\d+))?(?:\/([^/]*))?(.*)$/s.exec(each) ?? [];
    return `${index}${member === "" ? "" : `/${attributeOf[member] ?? member}`}${inside}`;
  });
  return new EventplaneError(error.code, error.message, { details: { ...rest, pointers: moved }, cause: error.cause });
}

function intentOf(value: JsonValue, place: Place): IntentInput {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid(place.pointer, "A CloudEvent is a JSON object.");
  const { pointer, slice, scanned } = place;
  const event = value as JsonObject; // the other cases are excluded
  for (const name of Object.keys(event)) refuseForeign(name, pointer);
  const text = (name: Exclude<Attribute, "data">): string | undefined => textOf(event[name], `${pointer}/${name}`);
  if (text("specversion") !== "1.0") throw invalid(`${pointer}/specversion`, 'specversion must be "1.0".');
  const type = required(text("type"), `${pointer}/type`);
  const contentType = text("datacontenttype") ?? "application/json";
  if (!jsonType.test(contentType)) throw invalid(`${pointer}/datacontenttype`, "data must be application/json.");
  const { data = {} } = event;
  if (typeof data !== "object" || data === null || Array.isArray(data))
    throw invalid(`${pointer}/data`, "data must be a JSON object: it is the intent's spec.");
  return {
    type,
    ...subjectOf(text("subject"), `${pointer}/subject`),
    spec: data as JsonObject, // the other cases are excluded
    specText: scanned.slices.get(`${slice}/data`) ?? "{}",
    ...nameOf(required(text("id"), `${pointer}/id`), required(text("source"), `${pointer}/source`)),
    schemaVersion: schemaVersionOf(type, text("dataschema"), `${pointer}/dataschema`),
    correlationId: text("correlationid"),
    causationId: text("causationid"),
    occurredAt: text("time"),
    traceparent: text("traceparent"),
  };
}

/** A UUID is the event's id. Anything else names it together with its source: CloudEvents asks for no more than that both are unique together. */
function nameOf(id: string, source: string): Pick<IntentInput, "id" | "idempotencyKey"> {
  const lower = id.toLowerCase();
  if (isUuid(lower) && publisherVersions.includes(uuidVersion(lower))) return { id: lower };
  return { idempotencyKey: JSON.stringify(["cloudevents", source, id]) };
}

function subjectOf(subject: string | undefined, pointer: string): Pick<IntentInput, "aggregateType" | "aggregateId"> {
  if (subject === undefined) return {};
  const slash = subject.indexOf("/");
  if (slash === -1) throw invalid(pointer, "subject must be <aggregateType>/<aggregateId>.");
  return { aggregateType: subject.slice(0, slash), aggregateId: subject.slice(slash + 1) };
}

function schemaVersionOf(type: string, schema: string | undefined, pointer: string): number | undefined {
  if (schema === undefined) return undefined;
  const version = schema.slice(schema.lastIndexOf("/") + 1);
  if (versionOfSchema.test(version) && schema === dataSchemaOf(type, Number(version))) return Number(version);
  throw invalid(
    pointer,
    `dataschema must be ${dataSchemaOf(type, 1)}, with the version of the type's schema, or absent.`,
  );
}

function refuseForeign(name: string, pointer: string): void {
  if ((attributeNames as readonly string[]).includes(name)) return;
  const shown = name.slice(0, 64).replaceAll("~", "~0").replaceAll("/", "~1");
  const message =
    "This attribute may not be sent: the edge and the store decide it, or it has no place in an intent. Remove it, or move it into data.";
  throw new EventplaneError("forbidden_field", message, { details: { pointer: `${pointer}/${shown}` } });
}

function textOf(value: JsonValue | undefined, pointer: string): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  throw invalid(pointer, "This attribute must be a string.");
}

function required(value: string | undefined, pointer: string): string {
  if (value !== undefined && value !== "") return value;
  throw invalid(pointer, "A CloudEvent needs a type, an id and a source, none of them empty.");
}

function invalid(pointer: string, message: string): EventplaneError {
  return new EventplaneError("request_invalid", message, { details: { pointer } });
}
