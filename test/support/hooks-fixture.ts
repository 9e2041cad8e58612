/** Receivers of webhooks on this machine, and tenants whose own admins make webhooks. */
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { createClient, type EventplaneClient } from "../../src/client/index.js";
import type { PlaneFixture, PlaneTenant } from "./plane-fixture.js";

/** What a receiver was sent. */
export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Told = number | { readonly status: number; readonly headers: Record<string, string> } | "silence";

/** A receiver that keeps what it is sent. */
export interface Receiver {
  readonly url: string;
  readonly received: Received[];
  /** Ids of the events, in the order in which they came. */
  readonly ids: () => readonly string[];
  /** Requests that it had at once. */
  readonly atOnceMax: () => number;
}

/** Receivers, closed together. */
export class Receivers {
  readonly #servers: Server[] = [];

  /** One that answers as it is told; by default 204. `silence`: never. */
  async open(
    answer: (nth: number, received: Received) => Told = () => 204,
    { answersAfterMs = 0 }: { readonly answersAfterMs?: number } = {},
  ): Promise<Receiver> {
    const received: Received[] = [];
    let [atOnce, atOnceMax] = [0, 0];
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      atOnceMax = Math.max(atOnceMax, ++atOnce);
      response.on("close", () => atOnce--);
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const one = { headers: request.headers, body: Buffer.concat(chunks).toString("utf8") };
        const told = answer(received.push(one) - 1, one);
        if (told === "silence") return;
        const { status, headers } = typeof told === "number" ? { status: told, headers: {} } : told;
        setTimeout(() => response.writeHead(status, headers).end(), answersAfterMs);
      });
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const ids = (): readonly string[] => received.map(({ headers }) => String(headers["webhook-id"]));
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
      received,
      ids,
      atOnceMax: () => atOnceMax,
    };
  }

  close(): void {
    for (const server of this.#servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  }
}

/** A tenant with an admin of its own. */
export interface HookTenant extends PlaneTenant {
  readonly hooks: EventplaneClient["admin"]["webhooks"];
  readonly hooksKey: string;
  readonly hooksKeyId: string;
}

/** The tenant of this slug with a key of these grants. */
export async function tenantWith(
  plane: PlaneFixture,
  slug: string,
  grants: readonly ("admin" | "subscriber")[] = ["admin", "subscriber"],
): Promise<HookTenant> {
  const tenant = await plane.tenant(slug);
  const { admin } = createClient({ baseUrl: plane.url, apiKey: plane.adminKey });
  const { id, key } = await admin.createKey(slug, { name: "hooks", grants });
  const { webhooks: hooks } = createClient({ baseUrl: plane.url, tenant: slug, apiKey: key }).admin;
  return { ...tenant, hooks, hooksKey: key, hooksKeyId: id };
}

/** What was sent, once the library of Standard Webhooks has verified it; it throws where it does not. */
export function verified(secret: string, { headers, body }: Received): Record<string, string> {
  return new Webhook(secret).verify(body, headers as Record<string, string>) as Record<string, string>;
}
