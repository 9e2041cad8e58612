/**
 * The checks of an envelope's fields (DESIGN §3). Each throws `request_invalid` with the field's JSON pointer.
 */
import { EventplaneError, formatUs, isUuid, limits, parseUs, uuidVersion } from "../kernel/index.js";
import type { ExpectedVersion } from "./append-item.js";

const aggregateIdForm = /^[A-Za-z0-9._:-]+$/;
const aggregateTypeForm = /^[a-z][a-z0-9_-]{0,63}$/;
const typeForm = /^[a-z][a-z0-9_-]{0,63}(\.[a-z0-9][a-z0-9_-]{0,63})+$/;
const traceparentForm = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** `request_invalid` at a place of the request body. */
export function invalid(pointer: string, message: string): EventplaneError {
  return new EventplaneError("request_invalid", message, { details: { pointer } });
}

/** True for the name of an aggregate type. */
export function isAggregateType(name: string): boolean {
  return aggregateTypeForm.test(name);
}

/** True for a dotted event type of at least two tokens. */
export function isEventType(type: string): boolean {
  return (
    type.length <= limits.typeCharactersMax && type.split(".").length <= limits.typeTokensMax && typeForm.test(type)
  );
}

/** P1: nothing without a tenant. */
export function checkTenantId(tenantId: string): void {
  if (!isUuid(tenantId))
    throw new EventplaneError("request_invalid", "An event needs the UUID of its tenant, in lower case.");
}

/** A UUID of one of the versions that this maker may give. */
export function checkId(id: string, versions: readonly number[]): string {
  if (isUuid(id) && versions.includes(uuidVersion(id))) return id;
  throw invalid(
    "/id",
    `id must be a UUID of version ${versions.join(" or ")} in lower case; leave it out to get a new one.`,
  );
}

/** A UUID of any version. */
export function checkUuid(pointer: string, id: string): string {
  if (isUuid(id)) return id;
  throw invalid(pointer, `${pointer.slice(1)} must be a UUID in lower case.`);
}

/** True for the opaque id of a resource; `.` and `..` are none because no URL can name them. */
export function isAggregateId(id: unknown): id is string {
  if (typeof id !== "string" || id.length > limits.aggregateIdCharactersMax) return false;
  return aggregateIdForm.test(id) && id !== "." && id !== "..";
}

/** The opaque id of a resource. */
export function checkAggregateId(id: string): string {
  if (isAggregateId(id)) return id;
  throw invalid(
    "/aggregateId",
    `aggregateId must be 1 to ${limits.aggregateIdCharactersMax} of the characters A-Z a-z 0-9 . _ : - and not . or ..`,
  );
}

/** A supplied time in the form that is stored, or null. */
export function checkTime(text: string | undefined): string | null {
  if (text === undefined) return null;
  const us = typeof text === "string" ? parseUs(text) : undefined;
  if (us === undefined)
    throw invalid("/occurredAt", "occurredAt must be an RFC 3339 date-time such as 2026-01-31T09:30:00Z.");
  return formatUs(us);
}

/** A trace parent of version 00, or null. */
export function checkTraceparent(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (typeof text === "string" && traceparentForm.test(text)) return text;
  throw invalid("/traceparent", "traceparent must have the form of W3C Trace Context version 00.");
}

/** The conditions of an append, with the default for a missing expectedVersion. */
export function checkExpected(
  request: {
    readonly expectedVersion?: ExpectedVersion | undefined;
    readonly expectedGeneration?: number | undefined;
  },
  otherwise: ExpectedVersion,
): { readonly expectedVersion: ExpectedVersion; readonly expectedGeneration?: number } {
  const { expectedVersion = otherwise, expectedGeneration } = request;
  const named = expectedVersion === "noStream" || expectedVersion === "streamExists" || expectedVersion === "any";
  if (!named && !(Number.isSafeInteger(expectedVersion) && Number(expectedVersion) >= 1)) {
    throw invalid("/expectedVersion", "expectedVersion must be a whole number from 1, noStream, streamExists or any.");
  }
  if (expectedGeneration === undefined) return { expectedVersion };
  if (!Number.isSafeInteger(expectedGeneration) || expectedGeneration < 0) {
    throw invalid("/expectedGeneration", "expectedGeneration must be a whole number from 0.");
  }
  return { expectedVersion, expectedGeneration };
}
