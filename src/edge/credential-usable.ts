/** Whether the credential that somebody showed a while ago may still be used. */
import { isKeyUsable } from "./platform/key-book.js";
import type { PlatformState } from "./platform/state.js";
import type { Principal } from "./principal.js";

/** Tokens end by themselves, those that were made with an API key with their key too. */
export function isCredentialUsable({ type, keyId, endsAtUs }: Principal, state: PlatformState, nowUs: number): boolean {
  if (endsAtUs !== undefined && nowUs >= endsAtUs) return false;
  // A person's key id names a key of the issuer.
  if (type !== "service" || keyId === undefined) return true;
  const key = state.key(keyId);
  return key !== undefined && isKeyUsable(key, nowUs);
}
