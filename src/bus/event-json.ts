/** Events as JSON, and back. */
import {
  compileSchema,
  EventplaneError,
  type JsonObject,
  type JsonValue,
  type SchemaCheck,
  scanJson,
} from "../kernel/index.js";
import { type Priority, priorities } from "./priority.js";

/** An event as plain data: what `JSON.stringify` makes of one. */
export interface EventJson {
  readonly id: string;
  readonly topic: string;
  readonly payload: JsonValue;
  readonly schemaVersion: number;
  readonly priority: Priority;
  readonly context: string;
  readonly atMs: number;
  readonly correlationId?: string;
  readonly causationId?: string;
  readonly source?: string;
  readonly metadata: JsonObject;
}

const text = { type: "string", minLength: 1, maxLength: 128 } as const;
const schema = {
  type: "object",
  properties: {
    id: text,
    topic: text,
    payload: {},
    schemaVersion: { type: "integer", minimum: 1 },
    priority: { enum: priorities },
    context: text,
    atMs: { type: "integer", minimum: 0 },
    correlationId: text,
    causationId: text,
    source: text,
    metadata: { type: "object" },
  },
  required: ["id", "topic", "payload", "schemaVersion", "priority", "context", "atMs", "metadata"],
  additionalProperties: false,
} as const;
/** Compiled when it is first needed: the bus can be loaded where no code may be made. */
let problemsOf: SchemaCheck | undefined;

/**
 * Reads what `JSON.stringify(event)` wrote. The result is an item of `publishBatch`, which checks its topic and payload; context, time and
 * source are those of the new publication.
 *
 * @throws EventplaneError `request_invalid` when it is no event; the codes of a JSON text that is not acceptable
 */
export function readEvent(json: string): EventJson {
  return asEventJson(scanJson(Buffer.from(json, "utf8")).value);
}

/**
 * A parsed value as an event.
 *
 * @throws EventplaneError `request_invalid`
 */
export function asEventJson(value: unknown): EventJson {
  const [problem] = (problemsOf ??= compileSchema(schema))(value);
  if (problem !== undefined)
    throw new EventplaneError("request_invalid", `This is no event: ${problem.pointer || "it"} ${problem.message}.`);
  return value as EventJson; // the schema says so
}
