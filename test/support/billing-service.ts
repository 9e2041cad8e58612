/** A billing service for tests: a real HTTP server that counts calls and makes one customer for each idempotency key. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** What the service does with a call: answers at once, after so many milliseconds, never, or ends the connection. */
export type ServiceMood = "prompt" | "silent" | "hangup" | number;

/** The server. */
export class BillingService {
  /** The idempotency key of every call that came in, in order. */
  readonly calls: string[] = [];
  /** Customers by idempotency key. */
  readonly customers: Map<string, string> = new Map();
  /** Points that processes said they have reached. */
  readonly points: string[] = [];
  mood: ServiceMood = "prompt";
  /** Calls that were answered never overlap for one key when this stays 1. */
  overlapMax = 0;
  readonly #server: Server;
  readonly #open = new Map<string, number>();

  private constructor() {
    this.#server = createServer((request, response) => this.#serve(request, response));
  }

  static async open(): Promise<BillingService> {
    const service = new BillingService();
    await new Promise<void>((resolve) => service.#server.listen(0, "127.0.0.1", resolve));
    return service;
  }

  get url(): string {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? `http://127.0.0.1:${address.port}` : "";
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    const { url = "" } = request;
    if (url.startsWith("/points/")) {
      this.points.push(url.slice("/points/".length));
      response.end();
      return;
    }
    const key = String(request.headers["idempotency-key"]);
    this.calls.push(key);
    const open = (this.#open.get(key) ?? 0) + 1;
    this.#open.set(key, open);
    this.overlapMax = Math.max(this.overlapMax, open);
    response.once("close", () => this.#open.set(key, (this.#open.get(key) ?? 1) - 1));
    if (!this.customers.has(key)) this.customers.set(key, `cus_${this.customers.size + 1}`);
    if (this.mood === "hangup") request.socket.destroy();
    else if (this.mood !== "silent")
      setTimeout(() => this.#answer(response, key), this.mood === "prompt" ? 0 : this.mood);
  }

  #answer(response: ServerResponse, key: string): void {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ id: this.customers.get(key) }));
  }
}
