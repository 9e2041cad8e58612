/** The tenant that an address of the administration is about. */
import { PLATFORM_TENANT_ID, type TenantId } from "../../kernel/index.js";
import { forbidden } from "../publish/refusal-errors.js";
import type { Caller, EdgeParts } from "./context.js";

/** The named tenant, or the caller's own, if the caller may administer it. @throws EventplaneError `forbidden` */
export function tenantOfQuery(parts: EdgeParts, tenant: string | undefined, { principal, resource }: Caller): TenantId {
  const entry = parts.platform.state.tenant(tenant ?? principal.tenantId);
  // The policies are asked for an unknown tenant too, so that it takes as long as a foreign one.
  parts.authorizer.assertAllowed(principal, "Administer", { tenantId: entry?.id ?? PLATFORM_TENANT_ID, resource });
  if (entry === undefined) throw forbidden();
  return entry.id;
}
