/**
 * What a team may pass as a schema, and the TypeScript type that follows from it.
 *
 * zod 4 and every library with Standard JSON Schema say their type themselves; TypeBox schemas and plain JSON Schema are
 * read structurally. `zod` and `typebox` are never imported here.
 */
import type { InferJson, JsonObject } from "../kernel/index.js";

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
