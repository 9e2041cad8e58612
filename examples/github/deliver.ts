/** Delivers the recorded payloads as GitHub does: signed, one request each. Prints how many were new. */
import { createHmac, randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { recordedDeliveries } from "./deliveries.js";

/** Where to deliver, and the tenant's secret. */
export interface Receiver {
  /** As `http://127.0.0.1:8787/v1/tenants/dev/sources/github`. */
  readonly url: string;
  readonly secret: string;
}

const attemptsMax = 10;

/** As senders do: again a moment later while the receiver is busy. */
async function deliver(send: () => Promise<Response>): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const response = await send();
    await response.arrayBuffer();
    if (response.status !== 503 || attempt === attemptsMax) return response;
    await setTimeout(Number(response.headers.get("retry-after") ?? 1) * 1_000);
  }
}

/** How many were answered with which status. */
export async function deliverAll({ url, secret }: Receiver): Promise<Readonly<Record<number, number>>> {
  const statuses: Record<number, number> = {};
  for (const { event, payload } of recordedDeliveries()) {
    const body = JSON.stringify(payload);
    const headers = {
      "content-type": "application/json",
      "x-github-event": event,
      "x-github-delivery": randomUUID(),
      "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
    };
    const response = await deliver(() => fetch(url, { method: "POST", headers, body }));
    statuses[response.status] = (statuses[response.status] ?? 0) + 1;
  }
  return statuses;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const secret = process.env["GITHUB_WEBHOOK_SECRET_DEV"];
  if (secret === undefined) throw new Error("Set GITHUB_WEBHOOK_SECRET_DEV to what the plane was started with.");
  const url = `${process.env["EVENTPLANE_URL"] ?? "http://127.0.0.1:8787"}/v1/tenants/dev/sources/github`;
  const { 201: created = 0, 200: repeated = 0, ...refused } = await deliverAll({ url, secret });
  process.stdout.write(`${created} new, ${repeated} known, refused ${JSON.stringify(refused)}\n`);
}
