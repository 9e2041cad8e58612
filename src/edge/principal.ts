/** Who asks, and what an API key can be granted. */

import type { TenantId } from "../kernel/index.js";
import type { Scopes } from "./scope.js";

/** The grants that a key can have; `authz/base-policies.ts` says what each allows. */
export const grantNames = ["publisher", "reader", "subscriber", "admin"] as const;
/** One of {@link grantNames}. */
export type Grant = (typeof grantNames)[number];

/** Who asks: taken from the credential alone. */
export interface Principal {
  /** `service` for an API key; `source` for a verified source; `anonymous` before authentication; `system` for the plane itself. */
  readonly type: string;
  /** Opaque; survives key rotation. */
  readonly id: string;
  readonly tenantId: TenantId;
  /** One object for as long as the credential is what it is: rulings are kept by it. */
  readonly grants: ReadonlySet<Grant>;
  /** What is left of the grants; absent: all of it. Decided in code, before the policies. */
  readonly scopes?: Scopes;
  /** What a stream token is for, as names of actions; absent: all that the policies allow. Decided in code, before them. */
  readonly actions?: ReadonlySet<string>;
  /** When the token that was shown ends, microseconds since 1970; absent for API keys, whose end the platform's log tells. */
  readonly endsAtUs?: number;
  /** The API key that was shown, or that the token was made with; its revocation ends open connections. */
  readonly keyId?: string;
}
