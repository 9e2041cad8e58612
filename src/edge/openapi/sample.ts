/** Values for examples: of an application's schemas nobody wrote any, so the simplest that fits is made, or none. */
import { compileSchema, type JsonObject, type JsonValue } from "../../kernel/index.js";

const depthMax = 8;

/** A value that fits the schema; undefined where a simple one does not. */
export function sampleOf(schema: JsonObject): JsonValue | undefined {
  const sample = simplest(schema, schema, 0);
  return sample !== undefined && compileSchema(schema)(sample).length === 0 ? sample : undefined;
}

function simplest(schema: JsonObject, root: JsonObject, depth: number): JsonValue | undefined {
  if (depth > depthMax) return undefined;
  const [given] = [schema.examples, schema.enum].flatMap((each) => (Array.isArray(each) ? (each as JsonValue[]) : [])); // lists of JSON
  if (given !== undefined) return given;
  if (schema.const !== undefined) return schema.const;
  if (typeof schema.$ref === "string") return simplest(targetOf(schema.$ref, root), root, depth + 1);
  const [choice] = [schema.anyOf, schema.oneOf].flatMap((each) => (Array.isArray(each) ? (each as JsonValue[]) : [])); // as above
  if (choice !== undefined) return simplest(asSchema(choice), root, depth + 1);
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case "object":
      return simplestObject(schema, root, depth);
    case "array":
      return Array.from(
        { length: Number(schema.minItems ?? 0) },
        () => simplest(asSchema(schema.items), root, depth + 1) ?? null,
      );
    case "integer":
    case "number":
      return Number(schema.minimum ?? schema.maximum ?? 1);
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return simplestText(schema);
  }
}

function simplestObject(schema: JsonObject, root: JsonObject, depth: number): JsonValue {
  const required = Array.isArray(schema.required) ? schema.required.map(String) : [];
  const properties = asSchema(schema.properties);
  const members = required.map((name): [string, JsonValue] => [
    name,
    simplest(asSchema(properties[name]), root, depth + 1) ?? null,
  ]);
  return Object.fromEntries(members);
}

const texts: Readonly<Record<string, string>> = {
  "date-time": "2026-01-31T09:30:00Z",
  date: "2026-01-31",
  email: "somebody@example.com",
  uri: "https://example.com",
  uuid: "0190a6f2-7c1e-7b3a-9d52-3f8e1a2b4c5d",
};

function simplestText({ format, minLength, maxLength }: JsonObject): string {
  const known = typeof format === "string" ? texts[format] : undefined;
  return known ?? "example".padEnd(Number(minLength ?? 0), "-").slice(0, Number(maxLength ?? 1_000));
}

/** A local reference, as `#/$defs/node`; others lead to nothing. */
function targetOf(reference: string, root: JsonObject): JsonObject {
  const names = reference.split("/").slice(1);
  const found = names.reduce<JsonValue | undefined>(
    (part, name) => asSchema(part)[name.replaceAll("~1", "/").replaceAll("~0", "~")],
    root,
  );
  return names.length === 0 ? {} : asSchema(found);
}

function asSchema(value: JsonValue | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}; // the others are excluded
}
