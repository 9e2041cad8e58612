/** An event as logs and exports show it: redacted, harmless, bounded. */
import { cleanFields, formatUs, type JsonObject } from "../kernel/index.js";
import type { BusEvent } from "./accepted-event.js";
import type { FoundValues } from "./found-values.js";
import type { Redaction } from "./redaction.js";

/** What else an entry shows. */
interface EntryOptions {
  readonly payload: boolean;
  /** Frames of errors. */
  readonly stack: boolean;
  /** What happened with the event: numbers, texts and errors that may quote it. */
  readonly others?: Readonly<Record<string, unknown>>;
}

/** The event's fields, and the others without what was redacted in the event. */
export function eventEntry(redaction: Redaction, event: BusEvent, options: EntryOptions): JsonObject {
  const { context, topic, id, schemaVersion, priority, correlationId, causationId, source } = event;
  const { payload, metadata, found } = redaction.redact(topic, event);
  const shown = options.payload ? { payload, metadata } : {};
  // The first four are the bus's own words; what a publisher chose may hold anything.
  const chosen = { id, correlationId, causationId, source };
  const clean = cleanEntry({ ...chosen, ...options.others, ...shown }, options.stack, found);
  return { context, topic, schemaVersion, priority, ...clean };
}

/** Fields as an entry has them. `found`: values that are taken out of them. */
export function cleanEntry(fields: Readonly<Record<string, unknown>>, stack: boolean, found?: FoundValues): JsonObject {
  if (found === undefined || found.isEmpty) return cleanFields(fields, { stack });
  return cleanFields(fields, { stack, replace: (text) => found.replace(text) });
}

/** Milliseconds since 1970 as RFC 3339 in UTC. */
export function timeText(ms: number): string {
  return formatUs(ms * 1000);
}
