export {
  type WebhookFilter,
  type WebhookSpec,
  webhookAggregate,
  webhookDefinition,
  webhookLimits,
  webhookSpecOf,
} from "./definition.js";
export { type Sight, signingSecrets, type WebhookDirectory, type WebhookEntry } from "./directory.js";
export { aggregatesOf } from "./filter.js";
export { testMessage, testMessageType } from "./message.js";
export type { DeliveryReader } from "./port.js";
export { PostgresDeliveries } from "./postgres/index.js";
export { WebhookRunner } from "./runner.js";
export { WebhookSecrets } from "./secrets.js";
