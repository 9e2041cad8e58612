export {
  type CallerIdentity,
  type CallerParts,
  EmbeddedCaller,
  type EmbeddedListOptions,
  type EmbeddedPublishOptions,
  type Published,
  type TypedResource,
  type TypedResourcePage,
} from "../embedded-caller.js";
export { NotSettledError, type NotSettledReason } from "../not-settled-error.js";
export type { Settlement, SettleOptions } from "../settlement.js";
export { EmbeddedPlane, type OpenPlaneOptions, openPlane } from "./open-plane.js";
export type { PoolAddress } from "./pool-address.js";
