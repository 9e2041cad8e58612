/** Which strings of which intents are personal data, and whose: from the marks of their schemas. */
import type { AppDefinition, DraftEvent } from "../event/index.js";
import {
  type DataMark,
  EventplaneError,
  type JsonObject,
  type JsonValue,
  LruMap,
  type MarkedPlace,
  markedPlaces,
  type TenantId,
} from "../kernel/index.js";
import { type FoundString, type Looking, stringsIn } from "./strings-in-text.js";

/** A string that is somebody's. */
export type PersonalString = FoundString<{ readonly subject: string }>;

const subjectForm = /^[A-Za-z0-9._:-]{1,128}$/;
const fieldsMax = 1_000;
const marks: readonly DataMark[] = ["x-eventplane-personal"];

/** What of an event is looked at. */
export type MarkedEvent = Pick<DraftEvent, "tenantId" | "type" | "schemaVersion" | "aggregateId" | "specText">;

type VersionedEvent = Pick<MarkedEvent, "tenantId" | "type" | "schemaVersion">;

/** The schemas of versions that the app does not declare any more, which publishers may still send, and of types that tenants registered. */
export interface EarlierSchemas {
  find(type: string, schemaVersion: number): { readonly schema: JsonObject } | undefined;
  tenantVersion(tenantId: TenantId, type: string, schemaVersion: number): { readonly schema: JsonObject } | undefined;
}

/** Places of earlier versions that are remembered. */
const earlierMax = 500;

/** The marked types of an app. */
export class PersonalFields {
  readonly #declared = new Map<string, { readonly schemaVersion: number; readonly place: MarkedPlace | undefined }>();
  readonly #earlier = new LruMap<string, MarkedPlace | null>(earlierMax);

  /** @throws EventplaneError `config_invalid` for a mark behind a reference that cannot be followed */
  constructor({ aggregates }: Pick<AppDefinition, "aggregates">) {
    for (const { intents } of aggregates.values()) {
      for (const { type, schemaVersion, schema } of intents.values())
        this.#declared.set(type, { schemaVersion, place: markedPlaces(type, schema, marks) });
    }
  }

  /** Whether such intents may hold personal data. */
  has(event: VersionedEvent, schemas?: EarlierSchemas): boolean {
    return this.#placeOf(event, schemas) !== undefined;
  }

  #placeOf(
    { tenantId, type, schemaVersion }: VersionedEvent,
    schemas: EarlierSchemas | undefined,
  ): MarkedPlace | undefined {
    const declared = this.#declared.get(type);
    if (schemas === undefined || declared?.schemaVersion === schemaVersion) return declared?.place;
    const name = `${declared === undefined ? `${tenantId} ` : ""}${type} ${schemaVersion}`;
    const known = this.#earlier.get(name);
    if (known !== undefined) return known ?? undefined;
    const registered =
      declared === undefined ? schemas.tenantVersion(tenantId, type, schemaVersion) : schemas.find(type, schemaVersion);
    if (registered === undefined) return declared?.place;
    const place = markedPlaces(type, registered.schema, marks);
    this.#earlier.set(name, place ?? null);
    return place;
  }

  /**
   * The personal strings of an intent that is about to be stored, in the order of its text.
   *
   * @param schemas for intents of earlier versions, whose own marks count
   * @throws EventplaneError `data_subject_missing` where the spec does not say whose they are, `payload_too_large` beyond 1,000
   */
  of(event: MarkedEvent, schemas?: EarlierSchemas): readonly PersonalString[] {
    const { type, aggregateId, specText } = event;
    const place = this.#placeOf(event, schemas);
    if (place === undefined) return [];
    const found = stringsIn(specText, lookingFor(place));
    if (found.length === 0) return [];
    if (found.length > fieldsMax)
      throw new EventplaneError("payload_too_large", `An intent has at most ${fieldsMax} personal fields.`);
    const spec = JSON.parse(specText) as JsonValue; // the scanner let it in
    return found.map((each) => {
      const subject = each.found === "aggregateId" ? aggregateId : at(spec, each.found);
      if (typeof subject === "string" && subjectForm.test(subject)) return { ...each, found: { subject } };
      throw subjectMissing(type, each.pointer, each.found);
    });
  }
}

/** Looks along the marks; what is found is where the subject's name is. Of several marks at one place the first counts. */
function lookingFor(place: MarkedPlace): Looking<string> {
  const named = place.marks.flatMap((mark) =>
    typeof mark === "object" && mark !== null && "subject" in mark && typeof mark.subject === "string"
      ? [mark.subject]
      : [],
  );
  return {
    here: named[0],
    below: (step) => {
      const next = typeof step === "number" ? place.element(step) : place.member(step);
      return next === undefined ? undefined : lookingFor(next);
    },
  };
}

function at(value: JsonValue, pointer: string): JsonValue | undefined {
  let found: JsonValue | undefined = value;
  for (const token of pointer.split("/").slice(1)) {
    const name = token.replaceAll("~1", "/").replaceAll("~0", "~");
    const isContainer: boolean = typeof found === "object" && found !== null && Object.hasOwn(found, name);
    found = isContainer ? (found as Readonly<Record<string, JsonValue>>)[name] : undefined; // arrays take their index as text too
  }
  return found;
}

function subjectMissing(type: string, pointer: string, where: string): EventplaneError {
  const named = where === "aggregateId" ? "the aggregateId" : `the spec at ${where}`;
  return new EventplaneError(
    "data_subject_missing",
    `The personal data at ${pointer} of ${type} belong to whom ${named} names, and that is no id: send one of 1 to 128 characters A-Z, a-z, 0-9, . _ : and -, which is no personal datum itself.`,
    { details: { pointers: [`/spec${pointer}`, ...(where === "aggregateId" ? [] : [`/spec${where}`])] } },
  );
}
