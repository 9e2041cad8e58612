/** Chapter 1: a plane and two tenants. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "../../client/index.js";
import { formatMs } from "../duration.js";
import { PlaneProcess } from "./plane-process.js";
import { Publisher, type Send } from "./publisher.js";
import type { DemoTenant, Scene, Stage } from "./scene.js";
import { deliveryIntents, demoAppFile, organizationIntents } from "./workload.js";

/** Starts the plane and makes the tenants through the admin API. `onStart` hears of the process before it is ready. */
export async function startPlane(
  stage: Stage,
  options: { readonly send: Send; readonly onStart: (plane: PlaneProcess) => void },
): Promise<Scene> {
  const { report, site, signal } = stage;
  await report.chapter("A plane: PostgreSQL, edge, controllers and projections, from one command");
  const startedMs = performance.now();
  const plane = PlaneProcess.start(site);
  options.onStart(plane);
  await plane.ready(signal);
  const tookMs = performance.now() - startedMs;
  await report.check(
    true,
    `\`evtctl dev\` serves after ${formatMs(tookMs)}: process ${plane.pid}, its PostgreSQL ${plane.postgresPid}`,
  );
  await report.note(`data in ${site.dataDir}, app ${demoAppFile}`);

  const deliveries = await deliveryIntents();
  const adminKey = readFileSync(join(site.dataDir, "admin.key"), "utf8").trim();
  const { admin } = createClient({ baseUrl: plane.url, apiKey: adminKey });
  const open = async (slug: string, intents: DemoTenant["intents"]): Promise<DemoTenant> => {
    const { id } = await admin.createTenant({ slug }, { signal });
    const { key } = await admin.createKey(
      slug,
      { name: "demo", grants: ["publisher", "reader", "subscriber"] },
      { signal },
    );
    const client = createClient({ baseUrl: plane.url, apiKey: key, tenant: slug });
    const once = createClient({ baseUrl: plane.url, apiKey: key, tenant: slug, attemptsMax: 1 });
    return { slug, id, apiKey: key, client, publisher: new Publisher(once, options.send), intents };
  };
  const [a, b] = await Promise.all([open("acme", deliveries ?? []), open("globex", organizationIntents())]);
  await report.check(
    a.id !== b.id,
    `two tenants by the admin API, each with its own key: A is ${a.slug}, B is ${b.slug}`,
  );
  if (deliveries === undefined) {
    await report.note(
      "@octokit/webhooks-examples is not installed here (it is a development dependency): A stays empty,",
    );
    await report.note("the demo goes on with B's organizations alone. `npm ci && npm run demo` in a clone has both.");
  }
  return { ...stage, plane, a, b };
}
