/** What the sending of webhooks reports. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { label } from "./label.js";

/** Of the webhooks that a process sends. Methods never throw. */
export interface WebhookMetrics {
  /**
   * One attempt ended: `delivered`, `retried`, `dead`, `withheld` when its owner may not see the event any more, `gone` when the
   * receiver wants nothing more, `deferred` when it could not be made now, `lost` when another process has it.
   */
  webhookDelivered(result: string, seconds: number): void;
  /** Attempts under way in this process. */
  webhooksActive(count: number): void;
  /** A receiver was given up, because it is `gone` or `failing`. */
  webhookDisabled(reason: string): void;
}

const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Makes them in the registry. */
export function webhookMetrics(registry: Registry): WebhookMetrics {
  const registers = [registry];
  const attempts = new Counter({
    name: "eventplane_webhook_attempts_total",
    help: "Attempts to deliver an event to a webhook, by what became of them.",
    labelNames: ["result"],
    registers,
  });
  const duration = new Histogram({
    name: "eventplane_webhook_attempt_duration_seconds",
    help: "Duration of one attempt, with its call and what was noted of it.",
    buckets,
    registers,
  });
  const active = new Gauge({
    name: "eventplane_webhook_attempts_active",
    help: "Attempts to deliver to webhooks under way in this process.",
    registers,
  });
  const disabled = new Counter({
    name: "eventplane_webhooks_disabled_total",
    help: "Webhooks that this process gave up, by reason.",
    labelNames: ["reason"],
    registers,
  });
  return {
    webhookDelivered: (result, seconds) => {
      attempts.inc({ result: label(result) });
      duration.observe(seconds);
    },
    webhooksActive: (count) => active.set(count),
    webhookDisabled: (reason) => disabled.inc({ reason: label(reason) }),
  };
}
