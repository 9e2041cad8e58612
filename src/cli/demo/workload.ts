/** What the demo publishes: real webhook deliveries for one tenant, organizations for the other. */
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { createJiti } from "jiti";
import type { ClientIntent } from "../../client/index.js";

/** An intent whose id is decided before it is sent, so that it can be sent again. */
export type NamedIntent = ClientIntent & { readonly id: string };

/** The app of both examples. */
export const demoAppFile: string = fileURLToPath(
  new URL("../../../examples/demo/eventplane.config.ts", import.meta.url),
);
const deliveriesFile = fileURLToPath(new URL("../../../examples/github/deliveries.ts", import.meta.url));

/** Organizations of the demo. */
const organizationsCount = 200;
const plans = ["free", "team", "enterprise"] as const;
const regions = ["eu", "us"] as const;

/** `organization.create`, one for each customer. */
export function organizationIntents(): readonly NamedIntent[] {
  return Array.from({ length: organizationsCount }, (_, index) => ({
    id: randomUUID(),
    type: "organization.create",
    spec: {
      name: `Customer ${String(index + 1).padStart(3, "0")}`,
      plan: plans[index % plans.length],
      region: regions[index % regions.length],
    },
  }));
}

/** `organization.change-plan` for the first `count` of them. */
export function changePlanIntents(organizations: readonly NamedIntent[], count: number): readonly NamedIntent[] {
  return organizations.slice(0, count).map(({ id }) => ({
    id: randomUUID(),
    type: "organization.change-plan",
    aggregateId: id,
    spec: { plan: "enterprise" },
  }));
}

/** The deliveries of `@octokit/webhooks-examples`; undefined where that development dependency is not installed. */
export async function deliveryIntents(): Promise<readonly NamedIntent[] | undefined> {
  const jiti = createJiti(import.meta.url, { fsCache: false });
  const { githubDeliveries } = await jiti.import<{ githubDeliveries: () => readonly NamedIntent[] }>(deliveriesFile);
  try {
    return githubDeliveries();
  } catch (error) {
    if (isMissingPackage(error)) return undefined;
    throw error;
  }
}

function isMissingPackage(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    error.code === "MODULE_NOT_FOUND" &&
    error.message.includes("@octokit/")
  );
}
