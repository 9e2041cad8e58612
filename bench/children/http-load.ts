/** A load generator: so many keep-alive connections, each sends its next intent when the last one is answered. */
import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { serveParent } from "../support/child.js";
import { specOf } from "../support/payload.js";

/** Where to, and how much. */
export interface LoadOrder {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly perConnection: number;
}

const attemptsMax = 50;
const retryAfterMs = 20;
const agents = new Map<string, Agent>();

serveParent<LoadOrder>(async ({ url, headers, connections, perConnection }) => {
  const agent = agents.get(url) ?? new Agent({ keepAlive: true, maxSockets: connections });
  agents.set(url, agent);
  const latencies: number[] = [];
  const publish = async (number: number): Promise<void> => {
    const started = performance.now();
    const body = `{"type":"organization.create","aggregateId":"${randomUUID()}","spec":${specOf(number).text}}`;
    let status = await post(url, { agent, headers, body });
    // Busy, says an edge that got no processor for a second: its client comes again, and the time counts.
    for (let attempt = 1; status === 503 && attempt < attemptsMax; attempt++) {
      await sleep(retryAfterMs);
      status = await post(url, { agent, headers, body });
    }
    if (status !== 201) throw new Error(`${url} answered ${status}`);
    latencies.push(performance.now() - started);
  };
  await Promise.all(
    Array.from({ length: connections }, async (_, connection) => {
      for (let count = 0; count < perConnection; count++) await publish(connection * perConnection + count);
    }),
  );
  return { latencies };
});

function post(
  url: string,
  {
    agent,
    headers,
    body,
  }: { readonly agent: Agent; readonly headers: Readonly<Record<string, string>>; readonly body: string },
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const length = String(Buffer.byteLength(body));
    const sent = request(
      url,
      { agent, method: "POST", headers: { ...headers, "content-type": "application/json", "content-length": length } },
      (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode));
        response.on("error", reject);
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}
