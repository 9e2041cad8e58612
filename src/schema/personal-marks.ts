/** What a schema may say of personal data: which strings are somebody's, and where the value says whose. */
import { EventplaneError, type JsonObject, type JsonValue, type MarkedPlace, markedPlaces } from "../kernel/index.js";
import { visitSchemas } from "./walk-schema.js";

/**
 * `encrypts`: of what publishers send, so a mark names the data subject. `holds`: of what controllers pass on, where a mark says
 * that a sealed value may stand there; it names nobody, because the value does.
 */
export type PersonalRole = "encrypts" | "holds";

const mark = "x-eventplane-personal";
const pointerForm = /^(?:\/(?:[^~/]|~[01])*)+$/;

/**
 * Checks the marks of a schema.
 *
 * @throws EventplaneError `config_invalid` for a mark on anything but strings or on names of members, for one that must name the data
 * subject and does not, or by a personal datum, and for a reference that cannot be followed beside marks
 */
export function assertPersonalMarks(schema: JsonObject, what: string, role: PersonalRole): void {
  // As they are looked for when a value comes: a reference that cannot be followed then is refused here.
  const places = role === "encrypts" ? markedPlaces(what, schema, [mark]) : undefined;
  visitSchemas(schema, (part, pointer) => {
    if (part.propertyNames !== undefined && JSON.stringify(part.propertyNames).includes(`"${mark}"`))
      throw unusable(what, `in ${pointer}/propertyNames: the name of a member is never encrypted`);
    const value = part[mark];
    if (value === undefined || value === false) return;
    if (!isTextual(part)) throw unusable(what, `at ${pointer || "/"}, which is no string: mark the strings in it`);
    if (role === "encrypts" && !namesSubject(value))
      throw unusable(
        what,
        `at ${pointer || "/"} names no data subject: { subject: "aggregateId" }, or a pointer into the spec such as "/customerId"`,
      );
    if (role === "encrypts" && isMarkedAt(places, value))
      throw unusable(
        what,
        `at ${pointer || "/"} whose data subject is named by a personal datum: that name would stand in the clear`,
      );
  });
}

function isMarkedAt(places: MarkedPlace | undefined, value: JsonValue): boolean {
  const { subject } = value as { readonly subject: string }; // it names one
  if (subject === "aggregateId") return false;
  let place = places;
  for (const token of subject.split("/").slice(1)) {
    const name = token.replaceAll("~1", "/").replaceAll("~0", "~");
    place = /^\d+$/.test(name) ? (place?.element(Number(name)) ?? place?.member(name)) : place?.member(name);
  }
  return place?.isMarked === true;
}

function namesSubject(value: JsonValue): boolean {
  if (typeof value !== "object" || value === null || !("subject" in value)) return false;
  const { subject } = value;
  return subject === "aggregateId" || (typeof subject === "string" && pointerForm.test(subject));
}

/** Whether the schema takes strings and, at most, null beside them. */
function isTextual(part: JsonValue): boolean {
  if (typeof part !== "object" || part === null || Array.isArray(part)) return false;
  const { type, anyOf, oneOf } = part as JsonObject; // neither null nor an array
  if (type !== undefined)
    return (Array.isArray(type) ? type : [type]).every((name) => name === "string" || name === "null");
  const branches = anyOf ?? oneOf;
  return Array.isArray(branches) && branches.length > 0 && branches.every((branch: JsonValue) => isTextual(branch));
}

function unusable(what: string, why: string): EventplaneError {
  return new EventplaneError("config_invalid", `The schema of ${what} has a mark of personal data ${why}.`);
}
