export {
  AdminClient,
  type ClientGrant,
  type DeadLetterFilterInfo,
  type DeadLetterGroupInfo,
  type DeadLetterInfo,
  type DecidedInfo,
  type DecisionByFilterInfo,
  type EffectInfo,
  type EffectResolution,
  type KeyInfo,
  type KeyRequest,
  type RotatedKeyInfo,
  type TenantInfo,
} from "./admin-client.js";
export {
  type ClientIntent,
  createClient,
  EventplaneClient,
  type PublishItem,
  type PublishReceipt,
  type ReadEvent,
  type ReadEventsQuery,
  type ResourceView,
  type SchemaCheckResult,
  type SchemaView,
  type SchemaWish,
} from "./client.js";
export { type ControllerChangeInfo, ControllerClient, type ControllerInfo } from "./controller-client.js";
export {
  type PolicyChange,
  PolicyClient,
  type PolicyInfo,
  type PolicyTest,
  type PolicyVersionInfo,
  type RulingExplanation,
  type RulingView,
} from "./policy-client.js";
export {
  type AcrossTenantsView,
  ProjectionClient,
  type ProjectionInfo,
  type ProjectionQueryView,
  type ProjectionRequestName,
  type ProjectionTotals,
} from "./projection-client.js";
export { type Quota, QuotaClient, type QuotaInfo } from "./quota-client.js";
export type { ReadAllQuery } from "./read-all.js";
export { ReplayClient, type ReplayFilterInfo, type ReplayInfo, type ReplayWish } from "./replay-client.js";
export { type SseMessage, SseParser } from "./sse-parser.js";
export type { PlaneStatus, ProcessInfo } from "./status-client.js";
export type { StreamTokenInfo, StreamTokenRequest, StreamTokenSource } from "./stream-token.js";
export { type ErasureInfo, SubjectClient, type SubjectInfo } from "./subject-client.js";
export type { SubscribeOptions, SubscribeQuery, SubscriptionItem } from "./subscription.js";
export type { ClientOptions } from "./transport.js";
export {
  type DeliveryInfo,
  type RotatedWebhookInfo,
  type StandingWebhookInfo,
  WebhookClient,
  type WebhookFilterInfo,
  type WebhookInfo,
  type WebhookTestInfo,
  type WebhookWish,
} from "./webhook-client.js";
