/** What is asked for when a stream token is made, checked member by member. */
import type { EventKind } from "../../event/index.js";
import { EventplaneError, isUuid, type JsonObject } from "../../kernel/index.js";
import { isOrigin } from "../origin.js";
import type { ScopePart } from "../scope.js";
import { type StreamTokenAction, type StreamTokenLimits, streamTokenActions } from "./stream-token.js";

/** So long does a token live at most, seconds. */
const streamTokenSecondsMax = 600;

const typesMax = 16;
const originCharactersMax = 256;
const typePattern = "^[a-z][a-z0-9_-]{0,63}(\\.[a-z0-9][a-z0-9_-]*){0,6}\\.(\\*|[a-z0-9][a-z0-9_-]*)$";
const typeCharactersMax = 128;
const kinds: readonly EventKind[] = ["intent", "fact", "internal"];

/** The members of the body. */
export const streamTokenMembers = [
  "actions",
  "types",
  "kind",
  "aggregateType",
  "aggregateId",
  "correlationId",
  "origin",
  "lifetimeSeconds",
] as const;

/** What is wanted. */
export interface StreamTokenWish extends StreamTokenLimits {
  /** 1 to 600. */
  readonly lifetimeSeconds: number;
}

/** Reads a body. @throws EventplaneError `request_invalid` with the pointer of the member that is wrong */
export function readStreamTokenWish(body: JsonObject): StreamTokenWish {
  const { types, origin, lifetimeSeconds = streamTokenSecondsMax } = body;
  if (!isWhole(lifetimeSeconds)) throw wrong("lifetimeSeconds", `is a whole number from 1 to ${streamTokenSecondsMax}`);
  return {
    actions: actionsOf(body.actions ?? ["subscribe"]),
    ...(types === undefined ? {} : { types: typesOf(types) }),
    part: partOf(body),
    ...(origin === undefined ? {} : { origin: originOf(origin) }),
    lifetimeSeconds,
  };
}

function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= streamTokenSecondsMax;
}

function actionsOf(given: unknown): readonly StreamTokenAction[] {
  const names = Object.keys(streamTokenActions) as StreamTokenAction[]; // the table is keyed by them
  if (!Array.isArray(given) || given.length === 0 || !given.every((each) => names.includes(each)))
    throw wrong("actions", `is a list of ${names.join(" and ")}`);
  return names.filter((name) => given.includes(name));
}

function typesOf(given: unknown): readonly string[] {
  const form = new RegExp(typePattern);
  const isType = (each: unknown): boolean =>
    typeof each === "string" && each.length <= typeCharactersMax && form.test(each);
  if (Array.isArray(given) && given.length > 0 && given.length <= typesMax && given.every(isType)) return given;
  throw wrong("types", `is a list of 1 to ${typesMax} types such as organization.create and organization.*`);
}

function partOf({ kind, aggregateType, aggregateId, correlationId }: JsonObject): ScopePart {
  if (aggregateId !== undefined && aggregateType === undefined)
    throw wrong("aggregateId", "goes with aggregateType, which is not given");
  return {
    ...(kind === undefined ? {} : { kind: kindOf(kind) }),
    ...textOf("aggregateType", aggregateType, /^[a-z][a-z0-9_-]{0,63}$/),
    ...textOf("aggregateId", aggregateId, /^[A-Za-z0-9._:-]{1,128}$/),
    ...(correlationId === undefined ? {} : { correlationId: uuidOf(correlationId) }),
  };
}

function kindOf(given: unknown): EventKind {
  const kind = kinds.find((each) => each === given);
  if (kind === undefined) throw wrong("kind", `is one of ${kinds.join(", ")}`);
  return kind;
}

function textOf(member: string, given: unknown, form: RegExp): Record<string, string> {
  if (given === undefined) return {};
  if (typeof given !== "string" || !form.test(given)) throw wrong(member, "does not have the form of one");
  return { [member]: given };
}

function uuidOf(given: unknown): string {
  if (!isUuid(given)) throw wrong("correlationId", "is a UUID in lower case");
  return given;
}

function originOf(given: unknown): string {
  if (typeof given === "string" && given.length <= originCharactersMax && isOrigin(given)) return given;
  throw wrong("origin", "is an origin such as https://app.example.com, without a path");
}

function wrong(member: string, why: string): EventplaneError {
  return new EventplaneError("request_invalid", `${member} ${why}.`, { details: { pointer: `/${member}` } });
}
