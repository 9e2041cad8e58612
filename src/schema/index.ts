export type { Infer, MergePatchOf, PlainJsonSchema, SchemaSource, StandardJsonSchema } from "./infer.js";
export { patchSchema } from "./patch-schema.js";
export { readSchema } from "./read-schema.js";
export { type RegisteredSchema, SchemaRegistry } from "./registry.js";
