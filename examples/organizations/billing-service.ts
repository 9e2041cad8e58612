/**
 * A small billing service, so that the example has something to call: HTTP on 127.0.0.1, slow, at times busy, and idempotent.
 *
 * The same `Idempotency-Key` always gets the same answer, whoever calls and however often; that is what makes it safe that
 * Eventplane calls again when it cannot know whether a call arrived.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";

const answersAfterMs = 180;
/** One key in so many is told to come back later, the first time. */
const busyOneIn = 10;

/** One service in a process, also after the configuration was loaded again. */
const services = globalThis as { billingService?: Promise<string> };

/** The address of the service; it is started when it is asked for first. */
export function billingService(): Promise<string> {
  services.billingService ??= startBillingService();
  return services.billingService;
}

/** What the service was asked: the key of the call, and whether it said that it is busy. */
export interface BillingCall {
  readonly key: string;
  readonly isBusy: boolean;
}

/**
 * Starts a service of its own, which does not keep the process alive.
 *
 * @param onCall told of each call when it arrives
 * @returns its address
 */
export function startBillingService(onCall: (call: BillingCall) => void = () => undefined): Promise<string> {
  const seen = new Set<string>();
  const server = createServer((request, response) => {
    const key = String(request.headers["idempotency-key"]);
    const digest = createHash("sha256").update(key).digest();
    const isBusy = digest.readUInt32BE() % busyOneIn === 0 && !seen.has(key);
    seen.add(key);
    onCall({ key, isBusy });
    request.resume();
    response.statusCode = isBusy ? 503 : 200;
    response.setHeader("content-type", "application/json");
    const answer = isBusy ? {} : { customerId: `cus_${digest.toString("hex", 4, 10)}` };
    setTimeout(() => response.end(JSON.stringify(answer)), answersAfterMs);
  });
  server.unref();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(`http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`);
    });
  });
}
