/** Stream tokens in a client: what is asked for, and the one that is used until it ends. */

/** What a token is for, and what it leaves of the key's rights. Everything that is not given stays as the key has it. */
export interface StreamTokenRequest {
  /** Default `["subscribe"]`. */
  readonly actions?: readonly ("subscribe" | "read")[];
  /** Types such as `organization.create`, and `organization.*`; at most 16. */
  readonly types?: readonly string[];
  readonly kind?: "intent" | "fact" | "internal";
  readonly aggregateType?: string;
  /** With `aggregateType`: one resource. */
  readonly aggregateId?: string;
  readonly correlationId?: string;
  /** The pages that may use it, as `https://app.example.com`. */
  readonly origin?: string;
  /** 1 to 600; default 600. */
  readonly lifetimeSeconds?: number;
}

/** A token as the edge gives it. */
export interface StreamTokenInfo {
  readonly token: string;
  /** RFC 3339. */
  readonly expiresAt: string;
}

/** Gives a token: a request to the application's own server, which makes it with its API key. */
export type StreamTokenSource = () => Promise<StreamTokenInfo>;

/** A token that is about to end is not sent any more, milliseconds before its end. */
const marginMs = 5_000;

/** Keeps a token for as long as it can be used, and asks for one at a time. */
export class StreamTokenKeeper {
  readonly #source: StreamTokenSource;
  readonly #nowMs: () => number;
  #held: { readonly token: string; readonly endsAtMs: number } | undefined;
  #asking: Promise<string> | undefined;

  /** @param nowMs milliseconds since 1970 */
  constructor(source: StreamTokenSource, nowMs: () => number) {
    this.#source = source;
    this.#nowMs = nowMs;
  }

  /** The token to send. What the source throws passes through. */
  token(): Promise<string> {
    const held = this.#held;
    if (held !== undefined && this.#nowMs() < held.endsAtMs - marginMs) return Promise.resolve(held.token);
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** The next one is asked for anew. @returns whether this one was held; else somebody else has forgotten it */
  forget(token: string): boolean {
    if (this.#held?.token !== token) return false;
    this.#held = undefined;
    return true;
  }

  async #ask(): Promise<string> {
    const { token, expiresAt } = await this.#source();
    this.#held = { token, endsAtMs: Date.parse(expiresAt) };
    return token;
  }
}
