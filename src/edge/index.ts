export { Authorizer } from "./authz/authorizer.js";
export { Cedar, prepareCedar } from "./authz/cedar.js";
export { policyApplyType, policyBaseType } from "./authz/policy-book.js";
export { basePolicySet } from "./authz/policy-set.js";
export type { Action, Ruling } from "./authz/ruling.js";
export { issueKey } from "./credentials.js";
export type { EdgeDependencies, EventLog, GuardLoader, ResourcePage, ResourceSource } from "./dependencies.js";
export { createEdge, type Edge } from "./edge.js";
export { asyncApiDocument } from "./openapi/asyncapi.js";
export { openApiDocument } from "./openapi/document.js";
export type { Operation } from "./operations/operation.js";
export { type Credential, credentialOf, operations } from "./operations/operations.js";
export {
  type AdministrationRequest,
  type CreatedKey,
  PlatformAdministration,
} from "./platform/administration.js";
export { platformApp, principalIdOf } from "./platform/definitions.js";
export { PlatformFold } from "./platform/fold.js";
export type { KeyEntry } from "./platform/key-book.js";
export type { KeyWish } from "./platform/key-wish.js";
export type { PlatformState, TenantEntry } from "./platform/state.js";
export { explainRuling } from "./policies/explain.js";
export type { Grant, Principal } from "./principal.js";
export type { Problem } from "./problem.js";
export type { IntentInput } from "./publish/intent-input.js";
export { readPublishBody } from "./publish/intent-input.js";
export { type PublishOptions, PublishPipeline } from "./publish/pipeline.js";
export type { PublishResult } from "./publish/publish-result.js";
export { RefusalLog } from "./refusals.js";
export { Scopes } from "./scope.js";
export { unsentBytesMax } from "./sse/connection.js";
export { stampOf } from "./stamp.js";
export { type Erasure, type ErasureParts, eraseSubject } from "./subjects/erase-subject.js";
