/** What is known of a topic: its schema, the version of it, and how older payloads are lifted to it. */
import type { InferJson, JsonObject } from "../kernel/index.js";
import type { StandardSchema } from "./standard-schema.js";

declare const payloadType: unique symbol;

/** A topic's definition; `Payload` is what its handlers get. Made by {@link topic}. */
export interface Topic<Payload = unknown> {
  readonly schema: JsonObject | StandardSchema | undefined;
  readonly version: number;
  readonly upcasters: Readonly<Record<number, Upcaster>>;
  /** Only for the compiler. */
  readonly [payloadType]?: Payload;
}

/** Makes a payload of version n + 1 from one of version n. Pure; what it throws refuses the event as `schema_violation`. */
export type Upcaster = (payload: never) => unknown;

/** The version of a topic's schema, and how payloads of older ones become it. */
export interface TopicOptions {
  /** From 1, the default. */
  readonly version?: number;
  /** Old version → the step to the next one. Versions without a step are refused. */
  readonly upcasters?: Readonly<Record<number, Upcaster>>;
}

/**
 * Defines a topic by a JSON Schema (draft 2020-12) written `as const`, or by a schema of a Standard Schema library that
 * neither transforms nor validates asynchronously; without a schema every payload of the type is taken.
 *
 * The schema is compiled once, when the bus is made.
 */
export function topic<Payload>(schema?: undefined, options?: TopicOptions): Topic<Payload>;
export function topic<Payload>(schema: StandardSchema<Payload, Payload>, options?: TopicOptions): Topic<Payload>;
export function topic<const Schema extends JsonObject>(
  schema: Schema,
  options?: TopicOptions,
): Topic<InferJson<Schema>>;
export function topic(schema?: JsonObject | StandardSchema, options: TopicOptions = {}): Topic {
  return { schema, version: options.version ?? 1, upcasters: options.upcasters ?? {} };
}
