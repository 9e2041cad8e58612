export { type FoundSecret, findSecret } from "./find-secret.js";
export type { Infer, MergePatchOf, PlainJsonSchema, SchemaSource, StandardJsonSchema } from "./infer.js";
export { patchSchema } from "./patch-schema.js";
export type { PersonalRole } from "./personal-marks.js";
export { readSchema } from "./read-schema.js";
export { type SecretReferenceSchema, secretReference } from "./secret-reference.js";
export { isSecretRule, type SecretRule, secretRuleNames } from "./secret-rules.js";
export { type DeclaredVersion, type SchemaVersion, VersionBook } from "./version-book.js";
