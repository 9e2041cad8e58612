/**
 * Requests with fetch: the credential, problems as errors, and repetitions where they cannot do harm.
 */
import { EventplaneError, isEventplaneError } from "../kernel/errors.js";
import { type Clock, systemClock } from "../kernel/time.js";
import { problemError } from "./problem-error.js";
import { StreamTokenKeeper, type StreamTokenSource } from "./stream-token.js";

/** How to reach an edge. */
export interface ClientOptions {
  /** `http://127.0.0.1:8787`, with or without a slash at the end. */
  readonly baseUrl: string;
  /** `epk_…`. Sent as a bearer token and kept nowhere else. */
  readonly apiKey?: string;
  /**
   * Instead of a key, in a page: gives the stream token that the application's server made for it. Asked when the last one ends or is
   * refused.
   */
  readonly streamToken?: StreamTokenSource;
  /** Id or slug of the tenant that publishing and reading are about. */
  readonly tenant?: string;
  /** Default: the fetch of the platform. */
  readonly fetch?: typeof fetch;
  /** Attempts in all, for requests that may be repeated; default 5. */
  readonly attemptsMax?: number;
  /** One attempt takes at most so long, milliseconds; default 30,000. */
  readonly timeoutMs?: number;
  /** For tests: time-outs and waits. */
  readonly clock?: Clock;
}

/** One request. */
export interface ClientRequest {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The same request again has the same effect as once. */
  readonly repeatable: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What came back. */
export interface ClientResponse {
  readonly status: number;
  readonly headers: Headers;
  /** undefined when the answer has no body. */
  readonly body: unknown;
}

const attemptsDefault = 5;
const timeoutDefaultMs = 30_000;
const waitFirstMs = 100;
const waitMaxMs = 5_000;

/** Sends requests. */
export class ClientTransport {
  readonly clock: Clock;
  readonly #options: ClientOptions;
  readonly #tokens: StreamTokenKeeper | undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.clock = options.clock ?? systemClock;
    const { streamToken } = options;
    const nowMs = (): number => this.clock.nowUs() / 1_000;
    this.#tokens = streamToken === undefined ? undefined : new StreamTokenKeeper(streamToken, nowMs);
  }

  /** Whether another credential can be had when one ends. */
  get renews(): boolean {
    return this.#tokens !== undefined;
  }

  /**
   * Sends the request, again after transient failures when it is repeatable.
   *
   * @throws EventplaneError the problem that the edge answered; `unavailable` when it cannot be reached; `timeout`;
   * `aborted` by the caller's signal (the request may have had its effect)
   */
  async send(request: ClientRequest): Promise<ClientResponse> {
    const attempts = request.repeatable ? (this.#options.attemptsMax ?? attemptsDefault) : 1;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(request);
      } catch (error) {
        if (attempt >= attempts || !isEventplaneError(error) || !error.retryable) throw error;
        await this.clock.sleep(waitMs(attempt, error), request.signal);
      }
    }
  }

  /** One attempt whose body is given as it comes; the caller reads or cancels it. */
  async open(request: ClientRequest): Promise<Response> {
    const response = await this.#fetch(request, request.signal);
    if (response.ok) return response;
    throw await refusal(response);
  }

  async #once(request: ClientRequest): Promise<ClientResponse> {
    const timeout = AbortSignal.timeout(this.#options.timeoutMs ?? timeoutDefaultMs);
    const signal = request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]);
    const response = await this.#fetch(request, signal);
    if (!response.ok) throw await refusal(response);
    try {
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: text === "" ? undefined : JSON.parse(text) };
    } catch (cause) {
      throw failure(cause, request.signal);
    }
  }

  /** A stream token that is refused is asked for once more: it may have ended, or its key with it. */
  async #fetch(request: ClientRequest, signal: AbortSignal | undefined): Promise<Response> {
    const tokens = this.#tokens;
    if (tokens === undefined) return this.#fetchAs(this.#options.apiKey, request, signal);
    const token = await tokens.token();
    const response = await this.#fetchAs(token, request, signal);
    if (response.status !== 401 || !tokens.forget(token)) return response;
    await response.body?.cancel();
    return this.#fetchAs(await tokens.token(), request, signal);
  }

  async #fetchAs(
    credential: string | undefined,
    { method = "GET", path, query = {}, body, headers }: ClientRequest,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    const { baseUrl } = this.#options;
    const url = new URL(`${baseUrl.replace(/\/+$/, "")}${path}`);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const send = this.#options.fetch ?? fetch;
    try {
      return await send(url, {
        method,
        headers: {
          accept: "application/json",
          ...(credential === undefined ? {} : { authorization: `Bearer ${credential}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (cause) {
      throw failure(cause, signal);
    }
  }
}

async function refusal(response: Response): Promise<EventplaneError> {
  const document: unknown = await response.json().catch(() => undefined);
  const error = problemError(document, response.status);
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  if (!Number.isFinite(seconds)) return error;
  return new EventplaneError(error.code, error.message, { details: { ...error.details, retryAfterSeconds: seconds } });
}

/** What fetch throws says little; what matters is whether to try again. */
function failure(cause: unknown, signal: AbortSignal | undefined): EventplaneError {
  if (isEventplaneError(cause)) return cause;
  const name = cause instanceof Error ? cause.name : "";
  if (name === "TimeoutError") return new EventplaneError("timeout", "The server did not answer in time.", { cause });
  if (signal?.aborted)
    return new EventplaneError("aborted", "The request was aborted by its caller; it may have had its effect.", {
      cause,
    });
  return new EventplaneError("unavailable", "The server cannot be reached. Is it running, and is the address right?", {
    cause,
  });
}

/** Doubling waits with full jitter, never shorter than the server asked for. */
function waitMs(attempt: number, error: EventplaneError): number {
  const ceiling = Math.min(waitMaxMs, waitFirstMs * 2 ** attempt);
  const [byte = 0] = crypto.getRandomValues(new Uint8Array(1));
  const jittered = (ceiling * byte) / 256;
  const { retryAfterSeconds } = error.details;
  return typeof retryAfterSeconds === "number" ? retryAfterSeconds * 1000 + jittered : jittered;
}
