/**
 * From an Authorization header to a principal. Every kind of wrong credential takes the same path and gets the same answer.
 */
import { type Clock, EventplaneError } from "../kernel/index.js";
import { readAuthorization, secretMatches } from "./credentials.js";
import type { PlatformFold } from "./platform/fold.js";
import { isKeyUsable } from "./platform/state.js";
import type { Principal } from "./rules.js";

/**
 * Who shows this header.
 *
 * @throws EventplaneError `platform_stale` when the keys cannot be proven fresh, `unauthenticated` for everything that is
 * not a usable key, always with the same words
 */
export function authenticate(header: string | undefined, platform: PlatformFold, clock: Clock): Principal {
  const state = platform.fresh();
  const presented = readAuthorization(header);
  const key = state.key(presented.keyId);
  const matches = secretMatches(presented, key?.secretHash);
  if (key === undefined || !matches || !isKeyUsable(key, clock.nowUs())) {
    throw new EventplaneError(
      "unauthenticated",
      "No usable API key was sent. Send `Authorization: Bearer epk_…` with a key that is neither revoked nor expired.",
    );
  }
  return { type: "service", id: key.principalId, tenantId: key.tenantId, grants: key.grants, keyId: key.id };
}
