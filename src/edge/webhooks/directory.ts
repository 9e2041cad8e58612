/** The edge as the deliveries see it: which webhooks there are, what may be sent to them, and how one is given up. */
import { EventFactory } from "../../event/index.js";
import { formatUs, type IdSource, PLATFORM_TENANT_ID, uuid8 } from "../../kernel/index.js";
import { type WebhookDirectory, webhookAggregate } from "../../webhook/index.js";
import { basePolicySet } from "../authz/policy-set.js";
import type { EventLog } from "../dependencies.js";
import { platformApp } from "../platform/definitions.js";
import { stampOf } from "../stamp.js";
import { type SightParts, WebhookSights } from "./sights.js";

/** What it needs. */
export interface DirectoryParts extends SightParts {
  readonly log: EventLog;
  readonly ids: IdSource;
  readonly edge: string;
}

/** Makes it. */
export function webhookDirectory(parts: DirectoryParts): WebhookDirectory {
  const { platform } = parts;
  const { webhooks } = platform.state;
  const sights = new WebhookSights(parts);
  return {
    get isFresh() {
      return platform.isFresh;
    },
    get position() {
      return platform.state.position;
    },
    active: () => webhooks.all().filter(({ state }) => state === "active"),
    get: (id) => webhooks.get(id),
    deleted: () => webhooks.deleted(),
    sightOf: (webhook) => sights.of(webhook),
    disable: async ({ id, generation }, state) => {
      const spec = { state };
      const requestId = parts.ids.uuid7();
      const stamp = stampOf({
        principal: { type: "system", id: "webhooks" },
        via: "system",
        requestId,
        ruling: { rulingId: requestId, policySetHash: basePolicySet.hash, policies: [] },
        edge: parts.edge,
        at: formatUs(parts.clock.nowUs()),
      });
      const item = new EventFactory({ app: platformApp, ids: parts.ids }).intent(
        {
          tenantId: PLATFORM_TENANT_ID,
          type: `${webhookAggregate}.disable`,
          // Two processes that see it at once write one event.
          id: uuid8(PLATFORM_TENANT_ID, id, "disable", String(generation)),
          idFromOutsideKey: true,
          aggregateId: id,
          spec,
          specText: JSON.stringify(spec),
          expectedGeneration: generation,
        },
        stamp,
      );
      const outcome = await parts.log.append({ tenantId: PLATFORM_TENANT_ID, items: [item] });
      // Refused: somebody has changed it meanwhile, and wants something else.
      await platform.catchUp(outcome.result === "refused" ? 0 : outcome.receipts.at(-1)?.position);
    },
  };
}
