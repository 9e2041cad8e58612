export { AddressGuard, type AddressVerdict } from "./address-guard.js";
export {
  type NoAnswer,
  type OutboundCall,
  OutboundHttp,
  type OutboundOptions,
  type OutboundOutcome,
} from "./outbound-http.js";
export type { Resolve } from "./resolve.js";
export { readTarget, type Target, type TargetRefusal } from "./target.js";
