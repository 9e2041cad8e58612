/** Opens the sealed values of JSON texts; those whose key is gone become tombstones. */
import type { TenantId } from "../kernel/index.js";
import { type DataKey, openText } from "./cipher.js";

/** What stands where a value was whose data subject has been erased. */
const erasedValue = '{"$erased":true}';

/**
 * A whole string that is sealed. Within a string the quotes are escaped, and the backslash tells the first of them from a
 * string's own, so nothing is ever opened inside of another string; the name of a member stays sealed.
 */
const sealedString = /(?<!\\)"sealed:v1:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([A-Za-z0-9_-]{38,})"(?!\s*:)/g;

/** Ids of the keys that the text's sealed values name. */
export function keyIdsIn(text: string): readonly string[] {
  return [...text.matchAll(sealedString)].map(([, keyId = ""]) => keyId);
}

/** A value that was opened: as it stands in the text, and as JSON. */
export interface OpenedValue {
  readonly sealed: string;
  readonly json: string;
}

/** The text with its sealed values opened. What has the form and is not sealed by the key that it names stays as it is. */
export function openIn(
  text: string,
  { keys, onOpened }: { readonly keys: ReadonlyMap<string, DataKey>; readonly onOpened?: (value: OpenedValue) => void },
): string {
  return text.replace(sealedString, (sealed: string, keyId: string, bytes: string) => {
    const key = keys.get(keyId);
    if (key === undefined) return erasedValue;
    const json = openText(key, bytes);
    if (json === undefined) return sealed;
    onOpened?.({ sealed, json });
    return json;
  });
}

/** Keys of one tenant by their ids. */
export type KeysOf = (tenantId: TenantId, keyIds: readonly string[]) => Promise<ReadonlyMap<string, DataKey>>;
