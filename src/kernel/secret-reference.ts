/**
 * Names of secrets that are kept elsewhere: what a spec holds in their place.
 *
 * `vault:<path>#<key>` is one entry of a secret store, `token:<id>` a token that somebody keeps under this id. Eventplane never
 * resolves them; a worker does, with rights of its own.
 */

/** The name of the JSON Schema format. */
export const secretReferenceFormat = "secret-reference";

/** Of a whole reference. */
export const secretReferenceCharactersMax = 512;

/** What the format asks for, as the rest of "… must be". */
export const secretReferenceForm = "a reference to a secret: vault:<path>#<key> or token:<id>";

/** No segment is `.` or `..`, so that no path leads out of the place that a worker may look in. */
const form = /^(?:vault:(?!\.{1,2}[/#])[\w.-]+(?:\/(?!\.{1,2}[/#])[\w.-]+)*#[\w.-]{1,128}|token:[\w.-]{1,128})$/;

/** Whether this is a reference to a secret; nothing is said about whether there is such a secret. */
export function isSecretReference(text: string): boolean {
  return text.length <= secretReferenceCharactersMax && form.test(text);
}
