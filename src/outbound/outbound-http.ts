/**
 * Calls over HTTP to addresses that somebody else chose: a fence against requests forged on our behalf (OWASP, "Server-Side
 * Request Forgery Prevention").
 *
 * A name is resolved where the connection is made, once, and the connection goes to the addresses that were judged: there is no
 * second look-up that could answer otherwise. One address that may not be called refuses the name. Nothing is followed, and
 * nothing of an answer is handed on but its status and when to come again, so that a refusal or an answer shows nothing of what
 * is inside.
 */
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import type { Clock } from "../kernel/index.js";
import type { AddressGuard } from "./address-guard.js";
import { type Resolve, resolveByDns } from "./resolve.js";
import { retryAfterMsOf } from "./retry-after.js";
import { maySend, readTarget, type Target, type TargetRefusal } from "./target.js";

/** What a call may take. */
const outboundLimits = {
  /** From the call to its status, names, connections and handshakes included, milliseconds. */
  totalMsMax: 10_000,
  /** What of an answer is read and thrown away, so that its connection can be used again; then it is closed. */
  answerBytesMax: 16_384,
  answerMsMax: 1_000,
  headerBytesMax: 16_384,
  /** Idle connections: how many to one receiver, and for how long. */
  idlePerReceiverMax: 2,
  idleMsMax: 4_000,
} as const;

/** Why no status came. */
export type NoAnswer =
  | "name_unresolved"
  | "connection_failed"
  | "tls_failed"
  | "timeout"
  | "answer_invalid"
  | "aborted";

/** What became of a call. */
export type OutboundOutcome =
  /** Any status, redirects too. */
  | { readonly result: "answered"; readonly status: number; readonly retryAfterMs?: number }
  /** It was not made. */
  | { readonly result: "refused"; readonly reason: TargetRefusal }
  /** It may have been made. */
  | { readonly result: "unanswered"; readonly reason: NoAnswer };

/** One call. */
export interface OutboundCall {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly signal?: AbortSignal | undefined;
}

/** What calls need. */
export interface OutboundOptions {
  readonly guard: AddressGuard;
  readonly clock: Clock;
  /** By default DNS. */
  readonly resolve?: Resolve;
  /** Default and most: 10 s. */
  readonly totalMs?: number;
}

/** Makes calls. */
export class OutboundHttp {
  readonly #options: OutboundOptions;
  readonly #totalMs: number;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  constructor(options: OutboundOptions) {
    const { totalMsMax, idlePerReceiverMax, idleMsMax } = outboundLimits;
    const pool = {
      keepAlive: true,
      maxFreeSockets: idlePerReceiverMax,
      timeout: idleMsMax,
      scheduling: "lifo",
    } as const;
    this.#options = options;
    this.#totalMs = Math.min(options.totalMs ?? totalMsMax, totalMsMax);
    this.#http = new HttpAgent(pool);
    this.#https = new HttpsAgent(pool);
  }

  /** Posts. Never throws; an abort ends the call, which may have been made. */
  async post(call: OutboundCall): Promise<OutboundOutcome> {
    const target = readTarget(call.url, this.#options.guard);
    if (typeof target === "string") return { result: "refused", reason: target };
    const ended = new AbortController();
    const abort = (): void => ended.abort("aborted");
    if (call.signal?.aborted === true) abort();
    call.signal?.addEventListener("abort", abort, { once: true });
    const stopped = new AbortController();
    this.#options.clock.sleep(this.#totalMs, stopped.signal).then(
      () => ended.abort("timeout"),
      () => undefined,
    );
    try {
      return await this.#send(target, call, ended.signal);
    } finally {
      stopped.abort();
      call.signal?.removeEventListener("abort", abort);
    }
  }

  /** Ends idle connections; calls under way go on. */
  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #send({ url, needsAllowed }: Target, { headers, body }: OutboundCall, signal: AbortSignal): Promise<OutboundOutcome> {
    const isHttps = url.protocol === "https:";
    return new Promise((resolve) => {
      let isAnswered = false;
      const fail = (error: unknown): void => {
        if (!isAnswered) resolve(outcomeOf(error, signal));
      };
      if (signal.aborted) return fail(undefined);
      const request = (isHttps ? httpsRequest : httpRequest)(url, {
        method: "POST",
        headers: { ...headers, "content-length": String(body.byteLength) },
        agent: isHttps ? this.#https : this.#http,
        lookup: this.#lookup(needsAllowed, signal),
        maxHeaderSize: outboundLimits.headerBytesMax,
      });
      signal.addEventListener("abort", () => request.destroy(), { once: true });
      request.on("error", fail);
      request.on("close", () => fail(undefined));
      request.on("response", (response) => {
        isAnswered = true;
        const retryAfterMs = retryAfterMsOf(response.headers["retry-after"], this.#options.clock.nowUs());
        const told = { result: "answered", status: response.statusCode ?? 0 } as const;
        void this.#readAway(request, response, signal).then(() =>
          resolve(retryAfterMs === undefined ? told : { ...told, retryAfterMs }),
        );
      });
      request.end(body);
    });
  }

  /** Resolves when the answer has been read, or the connection was closed because there is too much of it. Never rejects. */
  #readAway(request: ClientRequest, response: IncomingMessage, signal: AbortSignal): Promise<void> {
    const stopped = new AbortController();
    let bytes = 0;
    response.on("error", () => undefined); // the status is all that counts
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (bytes > outboundLimits.answerBytesMax) request.destroy();
    });
    this.#options.clock.sleep(outboundLimits.answerMsMax, stopped.signal).then(
      () => request.destroy(),
      () => undefined,
    );
    return new Promise((resolve) => {
      const end = (): void => {
        stopped.abort();
        resolve();
      };
      response.once("close", end);
      if (signal.aborted) request.destroy();
    });
  }

  /** Called by the socket that is about to connect; it connects to nothing but what it is given here. */
  #lookup(needsAllowed: boolean, signal: AbortSignal): LookupFunction {
    const { guard, resolve = resolveByDns } = this.#options;
    return (name, { all }, callback) => {
      resolve(name, signal).then(
        (addresses) => {
          const refused = addresses.length === 0 || addresses.some((one) => !maySend(guard.judge(one), needsAllowed));
          if (refused) return callback(new Refused(), "", 0);
          const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
          if (all === true) return callback(null, found);
          callback(null, found[0]?.address ?? "", found[0]?.family);
        },
        (cause: unknown) => callback(new Unresolved(cause), "", 0),
      );
    };
  }
}

/** A name with an address that may not be called. */
class Refused extends Error {}

class Unresolved extends Error {
  constructor(cause: unknown) {
    super("The name could not be resolved.", { cause });
  }
}

function outcomeOf(error: unknown, signal: AbortSignal): OutboundOutcome {
  if (error instanceof Refused) return { result: "refused", reason: "address_refused" };
  return { result: "unanswered", reason: reasonOf(error, signal) };
}

function reasonOf(error: unknown, signal: AbortSignal): NoAnswer {
  if (signal.aborted) return signal.reason === "timeout" ? "timeout" : "aborted";
  if (error instanceof Unresolved) return "name_unresolved";
  const code = codeOf(error);
  if (code.startsWith("HPE_")) return "answer_invalid";
  if (/TLS|SSL|CERT|SELF_SIGNED|EPROTO|UNABLE_TO/.test(code)) return "tls_failed";
  return "connection_failed";
}

function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | undefined)?.code; // only read; foreign errors may lack it
  return typeof code === "string" ? code : "";
}
