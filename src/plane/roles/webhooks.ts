/** The part of an edge that sends webhooks. */
import type { Edge, EdgeDependencies } from "../../edge/index.js";
import { systemRandom } from "../../kernel/index.js";
import { AddressGuard, OutboundHttp } from "../../outbound/index.js";
import { PostgresReader } from "../../store/postgres/index.js";
import { PostgresDeliveries, WebhookRunner, WebhookSecrets } from "../../webhook/index.js";
import type { PlaneOptions } from "../plane-options.js";
import type { Shared } from "../shared.js";

/** What sending needs, and what the edge tests and shows with. */
export type WebhookDesk = NonNullable<EdgeDependencies["webhooks"]>;

/** Undefined where the plane sends none. @throws EventplaneError `config_invalid` */
export function openWebhookDesk({ webhooks }: PlaneOptions, { clock, pools }: Shared): WebhookDesk | undefined {
  if (webhooks === undefined) return undefined;
  const guard = new AddressGuard(webhooks.allowedNetworks);
  const outbound = new OutboundHttp({ guard, clock });
  const deliveries = new PostgresDeliveries(pools.edge);
  const secrets = new WebhookSecrets(webhooks.key);
  return { guard, outbound, secrets, deliveries, testing: new Map(), making: new Map() };
}

/** Sends what this edge's webhooks mean, from now on. */
export function startWebhooks(
  { logger }: PlaneOptions,
  shared: Shared,
  { edge, desk }: { readonly edge: Edge; readonly desk: WebhookDesk },
): void {
  const { clock, doorbell, metrics, pools, loops } = shared;
  const runner = new WebhookRunner({
    ...desk,
    directory: edge.webhooks,
    store: new PostgresDeliveries(pools.edge),
    reader: new PostgresReader(pools.edge),
    clock,
    random: systemRandom,
    doorbell,
    metrics,
    logger: logger.child({ role: "webhooks" }),
  });
  loops.start("webhooks", async (signal) => {
    await runner.run(signal);
    desk.outbound.close();
  });
}
