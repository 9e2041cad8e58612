/**
 * What a team may pass as a schema, and the TypeScript type that follows from it.
 *
 * zod 4 and every library with Standard JSON Schema say their type themselves; TypeBox schemas and plain JSON Schema are
 * read structurally. `zod` and `typebox` are never imported here.
 */
import type { JsonObject, JsonValue } from "../kernel/index.js";

/** A schema of a library that implements Standard JSON Schema (https://standardschema.dev), such as zod 4. */
export interface StandardJsonSchema<Value = unknown> {
  readonly "~standard": {
    readonly vendor: string;
    readonly types?: { readonly input: Value; readonly output: unknown } | undefined;
    readonly jsonSchema: {
      readonly input: (options: StandardJsonSchemaOptions) => Record<string, unknown>;
      readonly output: (options: StandardJsonSchemaOptions) => Record<string, unknown>;
    };
  };
}

/** Options of a Standard JSON Schema converter. */
export interface StandardJsonSchemaOptions {
  readonly target: "draft-2020-12";
  readonly libraryOptions?: Record<string, unknown> | undefined;
}

/** A JSON Schema 2020-12 as an object: written out, or built by TypeBox. */
export interface PlainJsonSchema {
  readonly type?: string | readonly string[];
  readonly [keyword: string]: unknown;
}

/** Anything that describes a JSON value. */
export type SchemaSource = StandardJsonSchema | PlainJsonSchema | object;

/** The type of the values that a schema allows. */
export type Infer<Schema> = Schema extends { readonly "~standard": { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly input: infer Input }
    ? Input
    : JsonObject
  : InferJson<Schema>;

/** The values that a merge patch for `Spec` may have: nothing is required, null removes what is optional. */
export type MergePatchOf<Spec> = {
  readonly [Key in keyof Spec]?: PatchValue<Spec[Key]> | (undefined extends Spec[Key] ? null : never);
};
type PatchValue<Value> = Value extends readonly unknown[] ? Value : Value extends object ? MergePatchOf<Value> : Value;

/** The type of a JSON Schema, as far as its keywords say one; JsonValue where they do not. */
export type InferJson<Schema> = Schema extends { readonly const: infer Value }
  ? Value
  : Schema extends { readonly enum: readonly (infer Value)[] }
    ? Value
    : Schema extends { readonly anyOf: readonly (infer Member)[] }
      ? InferEach<Member>
      : Schema extends { readonly oneOf: readonly (infer Member)[] }
        ? InferEach<Member>
        : Schema extends { readonly type: infer Type }
          ? InferType<Schema, Type>
          : JsonValue;

type InferEach<Member> = Member extends unknown ? InferJson<Member> : never;
type InferType<Schema, Type> = Type extends readonly (infer One)[]
  ? InferOneType<Schema, One>
  : InferOneType<Schema, Type>;
type InferOneType<Schema, Type> = Type extends "object"
  ? InferObject<Schema>
  : Type extends "array"
    ? InferArray<Schema>
    : Type extends "string"
      ? string
      : Type extends "number" | "integer"
        ? number
        : Type extends "boolean"
          ? boolean
          : Type extends "null"
            ? null
            : JsonValue;

type InferArray<Schema> = Schema extends { readonly items: infer Items extends object }
  ? readonly InferJson<Items>[]
  : readonly JsonValue[];

type RequiredOf<Schema> = Schema extends { readonly required: readonly (infer Key)[] } ? Key : never;
type InferObject<Schema> = Schema extends { readonly properties: infer Properties }
  ? keyof Properties extends never
    ? JsonObject
    : InferMembers<Schema, Properties>
  : Schema extends { readonly additionalProperties: infer Values extends object }
    ? { readonly [Key in string]: InferJson<Values> }
    : Schema extends { readonly patternProperties: infer Patterns }
      ? { readonly [Key in string]: InferJson<Patterns[keyof Patterns]> }
      : JsonObject;

type InferMembers<Schema, Properties> = Flatten<
  { readonly [Key in keyof Properties as Key extends RequiredOf<Schema> ? Key : never]: InferJson<Properties[Key]> } & {
    readonly [Key in keyof Properties as Key extends RequiredOf<Schema> ? never : Key]?: InferJson<Properties[Key]>;
  }
>;

type Flatten<Shape> = { [Key in keyof Shape]: Shape[Key] };
