/** Whether a stream token opens: its signature, its end, the page that shows it, and the API key that it was made with. */
import type { KeyDirectory } from "../../event/index.js";
import { isKeyUsable } from "../platform/key-book.js";
import type { PlatformState } from "../platform/state.js";
import type { Principal } from "../principal.js";
import { Scope, Scopes } from "../scope.js";
import { readStreamToken, type StreamTokenAction, type StreamTokenLimits } from "./stream-token.js";

/** What a browser says of the page that sends a request. */
export interface Sender {
  /** The header Origin. */
  readonly origin?: string | undefined;
  /** The header Sec-Fetch-Site. */
  readonly site?: string | undefined;
  readonly host?: string | undefined;
}

/** What a token is decided by. */
export interface StreamTokenDecidedBy {
  readonly keys: KeyDirectory;
  readonly state: PlatformState;
  readonly nowUs: number;
  readonly sender: Sender;
}

/** Whether it opens. `unknown`: what it names may have been made at another edge a moment ago; `ended`: it was true once. */
export type StreamTokenDecision =
  | { readonly result: "opened"; readonly principal: Principal; readonly keyId: string }
  | { readonly result: "unknown" | "ended" | "refused" };

const policyActions: Readonly<Record<StreamTokenAction, string>> = { subscribe: "Subscribe", read: "Read" };

/** Decides on a token. Never throws. */
export function decideStreamToken(
  token: string,
  { keys, state, nowUs, sender }: StreamTokenDecidedBy,
): StreamTokenDecision {
  const read = readStreamToken(token, keys, nowUs);
  if (read.result !== "signed") return read;
  const { keyId, endsAtUs, origin } = read.claims;
  const key = state.key(keyId);
  if (key === undefined) return { result: "unknown" };
  const isOver = nowUs >= endsAtUs || !isKeyUsable(key, nowUs);
  if (isOver || (origin !== undefined && !isFrom(origin, sender))) return { result: "ended" };
  return { result: "opened", keyId, principal: { ...narrowedPrincipal(key.principal, read.claims), endsAtUs } };
}

/** The principal of an API key, with what the limits leave of it. */
export function narrowedPrincipal(principal: Principal, { actions, types, part }: StreamTokenLimits): Principal {
  const isNarrowed = types !== undefined || Object.keys(part).length > 0;
  const narrowed = isNarrowed
    ? { scopes: new Scopes(principal.scopes?.texts, new Scope(types, part)) }
    : principal.scopes === undefined
      ? {}
      : { scopes: principal.scopes };
  return { ...principal, ...narrowed, actions: new Set(actions.map((action) => policyActions[action])) };
}

/** To the server that a page came from, a browser names no origin with a GET, only that it is the same. */
function isFrom(origin: string, sender: Sender): boolean {
  if (sender.origin !== undefined) return sender.origin === origin;
  return sender.site === "same-origin" && sender.host === new URL(origin).host;
}
