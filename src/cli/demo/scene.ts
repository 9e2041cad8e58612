/** What the chapters of the demo share. */
import type { EventplaneClient } from "../../client/index.js";
import type { Event } from "../../event/index.js";
import type { BillingLedger } from "./billing-ledger.js";
import { type EvtctlResult, evtctl } from "./evtctl.js";
import type { PlaneProcess, PlaneSite } from "./plane-process.js";
import type { Publisher } from "./publisher.js";
import type { Report } from "./report.js";
import type { NamedIntent } from "./workload.js";

/** One of the two customers. */
export interface DemoTenant {
  readonly slug: string;
  readonly id: string;
  readonly apiKey: string;
  readonly client: EventplaneClient;
  readonly publisher: Publisher;
  readonly intents: readonly NamedIntent[];
}

/** The folder, the report, the world outside of the plane, and how the demo is ended. */
export interface Stage {
  readonly report: Report;
  readonly site: PlaneSite;
  readonly ledger: BillingLedger;
  readonly signal: AbortSignal;
}

/** A stage with a plane on it. */
export interface Scene extends Stage {
  /** The process that runs now; the crash replaces it. */
  plane: PlaneProcess;
  readonly a: DemoTenant;
  readonly b: DemoTenant;
}

/** Everything in a tenant's log, in position order. */
export async function wholeLog({ client }: DemoTenant, signal: AbortSignal): Promise<readonly Event[]> {
  const log: Event[] = [];
  for await (const event of client.read({ limit: 1_000 }, { signal })) log.push(event);
  return log;
}

/** Position of a tenant's latest event; 0 of an empty log. */
export async function lastPosition({ client }: DemoTenant, signal: AbortSignal): Promise<number> {
  const { events } = await client.readPage({ direction: "backwards", limit: 1 }, { signal });
  return events[0]?.position ?? 0;
}

/** Calls evtctl as a user of this tenant would. */
export function evtctlAs(
  tenant: DemoTenant,
  args: readonly string[],
  { site, plane, signal }: Scene,
): Promise<EvtctlResult> {
  const environment = {
    ...site.environment,
    EVENTPLANE_URL: plane.url,
    EVENTPLANE_DATA__DIR: site.dataDir,
    EVENTPLANE_TENANT: tenant.slug,
    EVENTPLANE_API_KEY: tenant.apiKey,
  };
  return evtctl(args, { environment, signal });
}

/** A number for people: 1,234. */
export function shown(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}
