export { issueKey } from "./credentials.js";
export type { EdgeDependencies, EventLog, GuardLoader, ResourcePage, ResourceSource } from "./dependencies.js";
export { createEdge, type Edge } from "./edge.js";
export {
  type AdministrationRequest,
  type CreatedKey,
  type KeyWish,
  PlatformAdministration,
} from "./platform/administration.js";
export { isTenantSlug, PLATFORM_SLUG, platformApp, principalIdOf, tenantIdOf } from "./platform/definitions.js";
export { PlatformFold, staleAfterMs } from "./platform/fold.js";
export { type KeyEntry, PlatformState, type TenantEntry } from "./platform/state.js";
export { httpStatus, type Problem, problemOf } from "./problem.js";
export { type IntentInput, type PublishBody, readPublishBody } from "./publish/intent-input.js";
export { type PublishOptions, PublishPipeline } from "./publish/pipeline.js";
export type { PublishResult } from "./publish/publish-result.js";
export {
  type Action,
  builtInPolicySetHash,
  type Grant,
  grantNames,
  type Principal,
  type Ruling,
  rule,
} from "./rules.js";
export { unsentBytesMax } from "./sse/connection.js";
