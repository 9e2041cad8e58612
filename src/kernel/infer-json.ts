/** The TypeScript type of the values that a JSON Schema, written `as const`, allows. */
import type { JsonObject, JsonValue } from "./json-types.js";

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
