/** Values of labels. */

const plainLabel = /^[A-Za-z0-9_.:{}*/-]{1,100}$/;
const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}/i;

/** The last fence against free text and ids as label values, which would make series without bound and tell of tenants. */
export function label(value: string): string {
  return plainLabel.test(value) && !uuid.test(value) ? value : "other";
}
