export { defineSource, type Source, type SourceConfig } from "./define-source.js";
export {
  deliveryWindowSeconds,
  githubWebhooks,
  type HmacScheme,
  hmacWebhooks,
  standardWebhooks,
  stripeWebhooks,
} from "./verifiers.js";
