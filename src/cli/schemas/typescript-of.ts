/**
 * TypeScript types of schemas, as text.
 *
 * Of our own, because generators in the field load what a schema refers to, from files and addresses too, and a plane's answer
 * must never make a developer's machine read anything. References are followed within the document alone.
 */
import type { SchemaView } from "../../client/index.js";
import type { JsonObject, JsonValue } from "../../kernel/index.js";

/** One type a schema, and `SpecByType`, which maps each event type to it. */
export function typescriptOf(schemas: readonly Pick<SchemaView, "type" | "schemaVersion" | "schema">[]): string {
  const sorted = [...schemas].sort((one, other) => (one.type < other.type ? -1 : 1));
  const written = sorted.map(({ type, schemaVersion, schema }) =>
    new Writer(nameOf(type), schema).write(`${type}, schemaVersion ${schemaVersion}`),
  );
  const map = sorted.map(({ type }) => `  readonly ${JSON.stringify(type)}: ${nameOf(type)};`);
  const head = "// Written by `evtctl schema generate`. Write it anew when a schema changes.\n";
  return `${head}\n${written.join("\n")}\n/** The spec of each type. */\nexport interface SpecByType {\n${map.join("\n")}\n}\n`;
}

/** `x-order.placed` → `XOrderPlaced`. */
function nameOf(type: string): string {
  const joined = type.replace(/(?:^|[^A-Za-z0-9]+)([A-Za-z0-9]?)/g, (_, first: string) => first.toUpperCase());
  return /^[A-Za-z]/.test(joined) ? joined : `T${joined}`;
}

const depthMax = 64;
const identifier = /^[A-Za-z_$][\w$]*$/;
const objectKeywords: readonly string[] = ["properties", "required", "additionalProperties", "unevaluatedProperties"];

class Writer {
  readonly #name: string;
  readonly #root: JsonObject;
  /** Names of definitions that were referred to, by their pointers. */
  readonly #named = new Map<string, string>();
  readonly #waiting: string[] = [];

  constructor(name: string, root: JsonObject) {
    this.#name = name;
    this.#root = root;
  }

  write(title: string): string {
    const own = `/** ${commentOf(title)} */\nexport type ${this.#name} = ${this.#type(this.#root, "", 0)};\n`;
    const others: string[] = [];
    for (let ref = this.#waiting.shift(); ref !== undefined; ref = this.#waiting.shift())
      others.push(`export type ${this.#named.get(ref)} = ${this.#type(this.#target(ref), "", 0)};\n`);
    return own + others.join("");
  }

  #type(schema: JsonValue | undefined, indent: string, depth: number): string {
    if (schema === false) return "never";
    if (!isObject(schema) || depth > depthMax) return "unknown";
    const parts = this.#parts(schema, indent, depth).filter((part) => part !== "unknown");
    return parts.length === 0 ? "unknown" : parts.map((part) => (parts.length > 1 ? grouped(part) : part)).join(" & ");
  }

  /** All that holds at once. */
  #parts(schema: JsonObject, indent: string, depth: number): readonly string[] {
    const deeper = (part: JsonValue): string => this.#type(part, indent, depth + 1);
    const union = (list: JsonValue | undefined): readonly string[] =>
      Array.isArray(list) ? [unionOf((list as readonly JsonValue[]).map(deeper))] : []; // Array.isArray loses the element type
    const all = Array.isArray(schema["allOf"]) ? (schema["allOf"] as readonly JsonValue[]).map(deeper) : []; // as above
    const ref = typeof schema["$ref"] === "string" ? [this.#reference(schema["$ref"])] : [];
    return [...ref, ...this.#own(schema, indent, depth), ...all, ...union(schema["anyOf"]), ...union(schema["oneOf"])];
  }

  /** What the schema says itself. */
  #own(schema: JsonObject, indent: string, depth: number): readonly string[] {
    const { const: value, enum: values, type } = schema;
    if (value !== undefined) return [literalOf(value)];
    if (Array.isArray(values)) return [unionOf((values as readonly JsonValue[]).map(literalOf))]; // Array.isArray loses the element type
    const types = typeof type === "string" ? [type] : Array.isArray(type) ? type.map(String) : [];
    if (types.length > 0) return [unionOf(types.map((each) => this.#ofType(each, schema, { indent, depth })))];
    return objectKeywords.some((keyword) => keyword in schema) ? [this.#object(schema, indent, depth)] : [];
  }

  #ofType(
    type: string,
    schema: JsonObject,
    { indent, depth }: { readonly indent: string; readonly depth: number },
  ): string {
    switch (type) {
      case "object":
        return this.#object(schema, indent, depth);
      case "array":
        return this.#array(schema, indent, depth);
      case "integer":
        return "number";
      case "string":
      case "number":
      case "boolean":
      case "null":
        return type;
      default:
        return "unknown";
    }
  }

  #object(
    { properties, required, additionalProperties, unevaluatedProperties }: JsonObject,
    indent: string,
    depth: number,
  ): string {
    const needed: readonly unknown[] = Array.isArray(required) ? required : [];
    const inner = `${indent}  `;
    const members = Object.entries(isObject(properties) ? properties : {}).map(([name, part]) => {
      const key = identifier.test(name) ? name : JSON.stringify(name);
      const description =
        isObject(part) && typeof part["description"] === "string"
          ? `${inner}/** ${commentOf(part["description"])} */\n`
          : "";
      return `${description}${inner}readonly ${key}${needed.includes(name) ? "" : "?"}: ${this.#type(part, inner, depth + 1)};\n`;
    });
    const isClosed = additionalProperties === false || unevaluatedProperties === false;
    if (!isClosed)
      members.push(
        `${inner}readonly [name: string]: ${this.#others(additionalProperties, members, { inner, depth })};\n`,
      );
    return members.length === 0 ? "Readonly<Record<string, never>>" : `{\n${members.join("")}${indent}}`;
  }

  /** TypeScript wants the named members to fit too. */
  #others(
    schema: JsonValue | undefined,
    named: readonly string[],
    { inner, depth }: { readonly inner: string; readonly depth: number },
  ): string {
    return named.length > 0 || schema === undefined ? "unknown" : this.#type(schema, inner, depth + 1);
  }

  #array({ prefixItems, items }: JsonObject, indent: string, depth: number): string {
    const rest = this.#type(items, indent, depth + 1);
    if (!Array.isArray(prefixItems)) return `readonly ${grouped(rest)}[]`;
    const first = (prefixItems as readonly JsonValue[]).map(
      (part) => `${grouped(this.#type(part, indent, depth + 1))}?`,
    ); // Array.isArray loses the element type
    return `readonly [${[...first, ...(items === false ? [] : [`...${grouped(rest)}[]`])].join(", ")}]`;
  }

  #reference(ref: string): string {
    if (ref === "#") return this.#name;
    const known = this.#named.get(ref);
    if (known !== undefined) return known;
    if (this.#target(ref) === undefined) return "unknown";
    const base = this.#name + nameOf(ref.split("/").at(-1) ?? "");
    const taken = new Set([this.#name, ...this.#named.values()]);
    let name = base;
    for (let number = 2; taken.has(name); number++) name = `${base}${number}`;
    this.#named.set(ref, name);
    this.#waiting.push(ref);
    return name;
  }

  #target(ref: string): JsonValue | undefined {
    if (!ref.startsWith("#/")) return undefined;
    return ref
      .slice(2)
      .split("/")
      .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"))
      .reduce<JsonValue | undefined>(
        (value, name) => (isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined),
        this.#root,
      );
  }
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unionOf(parts: readonly string[]): string {
  const different = [...new Set(parts)];
  if (different.includes("unknown")) return "unknown";
  return different.length === 0
    ? "never"
    : different.map((part) => (different.length > 1 && part.includes("&") ? `(${part})` : part)).join(" | ");
}

function grouped(part: string): string {
  return /[|&]|^readonly /.test(part) ? `(${part})` : part;
}

/** JSON is a literal type as it stands. */
function literalOf(value: JsonValue): string {
  return JSON.stringify(value);
}

/** One line that ends no comment. */
function commentOf(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ")
    .replaceAll("*/", "* /")
    .slice(0, 200);
}
