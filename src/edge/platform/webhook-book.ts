/** The webhooks that were made, with what became of them: folded from the platform log. */
import type { EventRow } from "../../event/index.js";
import type { TenantId } from "../../kernel/index.js";
import { type WebhookEntry, webhookAggregate, webhookSpecOf } from "../../webhook/index.js";
import { specOf } from "./row-values.js";

/** All webhooks. */
export class WebhookBook {
  readonly #webhooks = new Map<string, WebhookEntry>();
  readonly #deleted: { readonly id: string; readonly tenantId: TenantId }[] = [];

  /** One that is not deleted. */
  get(id: string): WebhookEntry | undefined {
    return this.#webhooks.get(id);
  }

  /** Those of all tenants, oldest first. */
  all(): readonly WebhookEntry[] {
    return [...this.#webhooks.values()];
  }

  /** Those of a tenant, oldest first. */
  of(tenantId: TenantId): readonly WebhookEntry[] {
    return this.all().filter((webhook) => webhook.tenantId === tenantId);
  }

  /** Those that are no more. */
  deleted(): readonly { readonly id: string; readonly tenantId: TenantId }[] {
    return this.#deleted;
  }

  /** Folds an event about webhooks; others leave it as it is. @throws EventplaneError `event_corrupt` */
  apply(row: EventRow): void {
    if (row.aggregateType !== webhookAggregate || row.kind !== "intent") return;
    const { aggregateId: id, generation } = row;
    const known = this.#webhooks.get(id);
    if (row.type === `${webhookAggregate}.create`) {
      this.#webhooks.set(id, { ...webhookSpecOf(specOf(row)), id, generation, createdAtUs: row.recordedAtUs });
    } else if (known !== undefined && row.type === `${webhookAggregate}.delete`) {
      this.#webhooks.delete(id);
      this.#deleted.push({ id, tenantId: known.tenantId });
    } else if (known !== undefined) {
      // Each of the others brings whole members.
      const resumed = row.type === `${webhookAggregate}.resume` ? { resumedAtUs: row.recordedAtUs } : {};
      this.#webhooks.set(id, { ...known, ...specOf(row), ...resumed, generation });
    }
  }
}
