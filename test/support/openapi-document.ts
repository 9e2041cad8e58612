/** The OpenAPI document as tests look at it. */
import { compileSchema, type JsonObject, type JsonValue, type SchemaCheck } from "../../src/kernel/index.js";

/** What a media type holds. */
export interface DocumentedMedia {
  readonly schema: JsonObject;
  readonly examples: Readonly<Record<string, { readonly value?: JsonValue; readonly $ref?: string }>>;
}

/** One answer. */
export interface DocumentedResponse {
  readonly description: string;
  readonly content?: Readonly<Record<string, DocumentedMedia>>;
}

/** One parameter. */
export interface DocumentedParameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly schema: JsonObject;
  readonly example: JsonValue;
}

/** One method of one address. */
export interface DocumentedOperation {
  readonly operationId: string;
  readonly summary: string;
  readonly security: readonly object[];
  readonly parameters?: readonly DocumentedParameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, DocumentedMedia>> };
  readonly responses: Readonly<Record<string, DocumentedResponse>>;
}

/** The parts of the document that are looked at. */
export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonObject>>;
    readonly examples: Readonly<Record<string, { readonly value: JsonValue }>>;
  };
}

/** Every method of every address, as `GET /v1/tenants/{t}/events`. */
export function operationsOf({ paths }: ApiDocument): readonly (readonly [string, DocumentedOperation])[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
  );
}

/** The value of an example. */
export function exampleOf(
  { components }: ApiDocument,
  { value, $ref = "" }: DocumentedMedia["examples"][string],
): JsonValue | undefined {
  return value ?? components.examples[$ref.split("/").at(-1) ?? ""]?.value;
}

const checks = new Map<string, SchemaCheck>();

/** The check of a schema of the document, with those components that it leads to. */
export function checkOf({ components: { schemas } }: ApiDocument, schema: JsonObject): SchemaCheck {
  const reached: Record<string, JsonObject> = {};
  const follow = (part: JsonObject): void => {
    for (const [, name = ""] of JSON.stringify(part).matchAll(/"#\/components\/schemas\/([^"/]+)/g)) {
      const component = schemas[name];
      if (component === undefined) throw new Error(`There is no component ${name}.`);
      if (name in reached) continue;
      reached[name] = component;
      follow(component);
    }
  };
  follow(schema);
  const text = JSON.stringify({ ...schema, $defs: reached }).replaceAll("#/components/schemas/", "#/$defs/");
  let check = checks.get(text);
  if (check === undefined) checks.set(text, (check = compileSchema(JSON.parse(text) as JsonObject))); // an object stays one
  return check;
}
