/** What a publisher says of an event, checked. */
import { EventplaneError, type JsonObject } from "../kernel/index.js";
import type { EventOptions, PublishOptions } from "./accepted-event.js";
import { frozenCopy } from "./frozen-copy.js";
import { priorities } from "./priority.js";

/** The options of an event that its publisher says nothing of. */
export const noOptions: PublishOptions = Object.freeze({});

const idForm = /^[\x21-\x7e]{1,128}$/;

/**
 * What the publisher may say of the event, checked and frozen; nothing else of its object, least of all a source.
 *
 * @throws EventplaneError `request_invalid`
 */
export function checkedOptions(options: PublishOptions, source: string | undefined): EventOptions {
  const { id, priority, correlationId, causationId, metadata } = options;
  assertId("id", id);
  assertId("correlationId", correlationId);
  assertId("causationId", causationId);
  if (priority !== undefined && !priorities.includes(priority))
    throw new EventplaneError("request_invalid", `The option priority is ${priorities.join(", ")}.`);
  return { id, priority, correlationId, causationId, metadata: frozenMetadata(metadata), source };
}

function frozenMetadata(metadata: JsonObject | undefined): JsonObject | undefined {
  if (metadata === undefined) return undefined;
  if (typeof metadata !== "object" || metadata === null || Array.isArray(metadata))
    throw new EventplaneError("request_invalid", "The option metadata is an object.");
  return frozenCopy(metadata) as JsonObject; // data of the type that it had
}

/** @throws EventplaneError `request_invalid` for an id that is not 1 to 128 printable ASCII characters */
export function assertId(name: string, value: string | undefined): void {
  if (value === undefined || (typeof value === "string" && idForm.test(value))) return;
  throw new EventplaneError("request_invalid", `${name} is text of 1 to 128 printable ASCII characters.`);
}
