import { secretReferenceCharactersMax, secretReferenceFormat } from "../kernel/index.js";

/** The JSON Schema of a reference to a secret; a string for TypeScript. */
export interface SecretReferenceSchema {
  readonly type: "string";
  readonly format: typeof secretReferenceFormat;
  readonly maxLength: number;
}

/**
 * The schema of a member that names a secret instead of holding it: `vault:<path>#<key>` or `token:<id>`, at most 512 characters, and
 * nothing else. Use it among the members of a TypeBox schema or of a JSON Schema; in zod write
 * `z.string().meta({ format: "secret-reference" })`.
 *
 * Nothing resolves a reference before the worker that is given it.
 *
 * @example Type.Object({ name: Type.String(), apiKey: secretReference() })
 */
export function secretReference(): SecretReferenceSchema {
  return { type: "string", format: secretReferenceFormat, maxLength: secretReferenceCharactersMax };
}
