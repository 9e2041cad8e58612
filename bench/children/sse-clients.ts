/** Many SSE clients over plain sockets; each notes how late an event came after it was recorded. */
import { request } from "node:http";
import { serveParent } from "../support/child.js";
import { percentile } from "../support/interleave.js";

/** Connects clients (`subscribe`), forgets what came so far (`reset`), or reports (`report`). */
export type ClientsOrder =
  | { readonly subscribe: { readonly url: string; readonly key: string; readonly clients: number } }
  | { readonly reset: true }
  | { readonly report: true };

/** Latencies in milliseconds. */
export interface ClientsReport {
  readonly events: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly ended: number;
}

let latencies: number[] = [];
let ended = 0;

serveParent<ClientsOrder>(async (order) => {
  if ("subscribe" in order) {
    const { url, key, clients } = order.subscribe;
    await Promise.all(Array.from({ length: clients }, () => connect(url, key)));
  }
  if ("reset" in order) latencies = [];
  const report: ClientsReport = {
    events: latencies.length,
    p50: percentile(latencies, 50),
    p99: percentile(latencies, 99),
    max: percentile(latencies, 100),
    ended,
  };
  return report;
});

const recorded = /"recordedAt":"([^"]+)"/g;

function connect(url: string, key: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: false, headers: { authorization: `Bearer ${key}` } }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url} answered ${response.statusCode}`));
      let rest = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        const now = Date.now();
        const whole = (rest + chunk).split("\n\n");
        rest = whole.pop() ?? "";
        for (const message of whole) {
          for (const [, at = ""] of message.matchAll(recorded)) latencies.push(now - Date.parse(at));
        }
        resolve();
      });
      response.on("end", () => {
        ended += 1;
      });
    });
    sent.on("error", reject);
    sent.end();
  });
}
