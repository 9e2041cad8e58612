/** Names of an intake in its database. */

/** The schema of an intake that names none. */
export const intakeSchemaDefault = "eventplane_intake";

const identifierForm = /^[a-z_][a-z0-9_]{0,62}$/;

/** Whether it is a plain name that may stand in SQL between double quotes. */
export function isIdentifier(text: string): boolean {
  return identifierForm.test(text);
}
