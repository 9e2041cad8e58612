/**
 * What a route says of itself: the router holds requests to it, and the OpenAPI document, the attacks of the tests and the
 * check of the client are made of it. A route without one is refused when the edge is assembled.
 */
import type { ErrorCode, JsonObject, JsonValue } from "../../kernel/index.js";

/** A section of the document. */
export type Tag =
  | "Publishing"
  | "Reading"
  | "Subscribing"
  | "Tenants"
  | "Keys"
  | "Policies"
  | "Schemas"
  | "Dead letters"
  | "Effects"
  | "Projections"
  | "Replays"
  | "Controllers"
  | "Webhooks"
  | "Data subjects"
  | "Processes"
  | "Open";

/** What each section is about, in their order. */
export const tags: Readonly<Record<Tag, string>> = {
  Publishing: "Intents, and signed deliveries from outside.",
  Reading: "Events, streams, resources, projections and schemas. Needs the grant `reader`.",
  Subscribing: "Events as they are appended. Needs the grant `subscriber`.",
  Tenants: "Tenants. Needs a key of the platform with the grant `admin`.",
  Keys: "API keys. Needs the grant `admin`.",
  Policies: "Who may do what. Needs the grant `admin`.",
  Schemas: "Types of the tenant's own. Needs the grant `admin`.",
  "Dead letters": "Work that has failed for good, and the decisions on it. Needs the grant `admin`.",
  Effects: "Outside calls without a result, and the decisions on them. Needs the grant `admin`.",
  Projections: "How projections stand, and what is asked of them. Needs the grant `admin`.",
  Replays: "History given to one consumer again. Needs the grant `admin`.",
  Controllers: "Controllers over living resources. Needs the grant `admin`.",
  Webhooks: "Events sent to an address, signed. Needs the grant `admin`.",
  "Data subjects": "Whose personal data are encrypted, and their erasure. Needs the grant `admin`.",
  Processes: "How the whole plane stands. Needs a key of the platform with the grant `admin`.",
  Open: "What anybody may ask.",
};

/** A parameter of an address, or a header. */
export interface Parameter {
  /** Of its text: a string, an integer or a boolean. */
  readonly schema: JsonObject & { readonly type: "string" | "integer" };
  readonly description: string;
  readonly example: string | number;
  readonly required?: boolean;
}

/** What a body is, as it is taken or as it is answered. */
export interface Content {
  /** JSON Schema; `{ $ref: "#/components/schemas/…" }` names one of shapes.ts. */
  readonly schema: JsonObject;
  /** At least one; each fits the schema. Of a stream the text. */
  readonly examples: Readonly<Record<string, JsonValue>>;
}

/** One answer that is no problem. */
export interface Answer {
  readonly description: string;
  /** By media type; absent: without a body. */
  readonly content?: Readonly<Record<string, Content>>;
  /** Headers that only this route has. */
  readonly headers?: Readonly<Record<string, Parameter>>;
}

/** All that is said of a route. */
export interface Operation {
  /** Unique, in camelCase. */
  readonly id: string;
  readonly tag: Tag;
  /** One line. */
  readonly summary: string;
  readonly description?: string;
  /** Parameters of the query; others are refused. */
  readonly query?: Readonly<Record<string, Parameter>>;
  /** Values of groups of an application's table come as parameters of their own names. */
  readonly takesOtherParameters?: boolean;
  readonly headers?: Readonly<Record<string, Parameter>>;
  /** By media type. */
  readonly body?: Readonly<Record<string, Content>>;
  /** By status. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Codes that it is refused with beside those that every route of its kind has. */
  readonly errors: readonly ErrorCode[];
}

/** By method and address, as `GET /v1/tenants/:t/events`. */
export type Operations = Readonly<Record<string, Operation>>;

/** A body of JSON with one example. */
export function json(schema: JsonObject, example: JsonValue): Readonly<Record<string, Content>> {
  return { "application/json": { schema, examples: { example } } };
}
