/** Parameters of addresses, checked once. Unknown ones are refused, so a misspelt filter never reads too much. */

import type { FastifyRequest } from "fastify";
import type { EventKind } from "../../event/index.js";
import { EventplaneError, isUuid, limits, parseUs } from "../../kernel/index.js";
import type { ResourceClass } from "../authz/ruling.js";

/** The parameters of one address. */
export type Query = Readonly<Record<string, string | undefined>>;

const aggregateTypeForm = /^[a-z][a-z0-9_-]{0,63}$/;
const aggregateIdForm = /^[A-Za-z0-9._:-]{1,128}$/;
const typeForm = /^[a-z][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*){0,7}$/;
const kinds: readonly string[] = ["intent", "fact", "internal"];

/** Parameters that narrow a read of events. */
export const filterNames = [
  "kind",
  "type",
  "aggregateType",
  "aggregateId",
  "correlationId",
  "recordedFrom",
  "recordedBefore",
] as const;

/**
 * The query of an address.
 *
 * @throws EventplaneError `request_invalid` for a name that is not allowed or that comes twice
 */
export function readQuery(given: unknown, allowed: readonly string[]): Query {
  const query = given as Readonly<Record<string, unknown>>; // Fastify's parser gives strings and lists of strings
  for (const [name, value] of Object.entries(query)) {
    if (!allowed.includes(name))
      throw invalidParameter(name, `is not known here; known are ${allowed.join(", ") || "none"}`);
    if (typeof value !== "string") throw invalidParameter(name, "may be given once");
  }
  return query as Query; // every value is a string now
}

/** A whole number in a range; undefined when it is absent. */
export function integerOf(
  query: Query,
  name: string,
  range: { readonly min: number; readonly max: number },
): number | undefined {
  const text = query[name];
  if (text === undefined) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= range.min && value <= range.max) return value;
  throw invalidParameter(name, `must be a whole number from ${range.min} to ${range.max}`);
}

/** A position, from 0. */
export function positionOf(query: Query, name: string): number | undefined {
  return integerOf(query, name, { min: 0, max: Number.MAX_SAFE_INTEGER });
}

/** The size of a page; default 100. */
export function limitOf(query: Query): number {
  return integerOf(query, "limit", { min: 1, max: limits.readPageMax }) ?? 100;
}

/** The filters that a query names. */
export function filterOf(query: Query): {
  kind?: EventKind;
  type?: string;
  aggregateType?: string;
  aggregateId?: string;
  correlationId?: string;
  recordedFromUs?: number;
  recordedBeforeUs?: number;
} {
  const { kind, type, aggregateType, aggregateId, correlationId } = query;
  return {
    ...(kind === undefined ? {} : { kind: kindOf(kind) }),
    ...(type === undefined ? {} : { type: formOf("type", type, typeForm) }),
    ...(aggregateType === undefined ? {} : { aggregateType: aggregateTypeOf(aggregateType) }),
    ...(aggregateId === undefined ? {} : { aggregateId: aggregateIdOf(aggregateId) }),
    ...(correlationId === undefined ? {} : { correlationId: uuidOf("correlationId", correlationId) }),
    ...timeOf(query, "recordedFrom", "recordedFromUs"),
    ...timeOf(query, "recordedBefore", "recordedBeforeUs"),
  };
}

/** The class of what an address reads: of one aggregate when its path or its query names one, else all of the tenant. */
export function readClassOf({ params, query }: FastifyRequest): ResourceClass {
  const inPath = (params as { readonly aggregateType?: string }).aggregateType; // the only parameter of this name
  const named = inPath ?? (query as Readonly<Record<string, unknown>>)["aggregateType"]; // Fastify's parser gives an object
  return typeof named === "string" && aggregateTypeForm.test(named) ? `aggregate:${named}` : "tenant";
}

/** An aggregate type in an address. */
export function aggregateTypeOf(text: string): string {
  return formOf("aggregateType", text, aggregateTypeForm);
}

/** An aggregate id in an address. */
export function aggregateIdOf(text: string): string {
  return formOf("aggregateId", text, aggregateIdForm);
}

/** The parameters of an address that are not among `known`, each given once; what they mean is checked elsewhere. */
export function otherParameters(given: unknown, known: readonly string[]): Query {
  const names = Object.keys(given as Readonly<Record<string, unknown>>); // Fastify's parser gives an object
  const others = names.filter((name) => !known.includes(name));
  const query = readQuery(given, [...known, ...others]);
  return Object.fromEntries(others.map((name) => [name, query[name]]));
}

/** A UUID in an address. */
export function uuidOf(name: string, text: string): string {
  if (isUuid(text)) return text;
  throw invalidParameter(name, "must be a UUID in lower case");
}

function kindOf(text: string): EventKind {
  if (kinds.includes(text)) return text as EventKind; // one of the three
  throw invalidParameter("kind", "must be intent, fact or internal");
}

function formOf(name: string, text: string, form: RegExp): string {
  if (text.length <= limits.typeCharactersMax && form.test(text)) return text;
  throw invalidParameter(name, "does not have the form of one");
}

/** A time under another name, microseconds since 1970; nothing when it is absent. */
export function timeOf(query: Query, name: string, member: string): Record<string, number> {
  const text = query[name];
  if (text === undefined) return {};
  const us = parseUs(text);
  if (us === undefined) throw invalidParameter(name, "must be an RFC 3339 date-time such as 2026-01-31T09:30:00Z");
  return { [member]: us };
}

/** What is thrown for a parameter; its name is shown without what could harm a terminal. */
export function invalidParameter(name: string, why: string): EventplaneError {
  const shown = name.replaceAll(/[^A-Za-z0-9._-]/g, "?").slice(0, 64);
  return new EventplaneError("request_invalid", `The parameter ${shown} ${why}.`, { details: { parameter: shown } });
}
