/** What the bus and the thread of a handler say to one another. */
import type { MessagePort } from "node:worker_threads";
import { readThrown, type ThrownData } from "../../kernel/thrown.js";
import type { EventJson } from "../event-json.js";
import type { OutputStream } from "./thread-output.js";

/** To the thread, the first and only message that does not come by the port in it. */
export interface StartMessage {
  readonly port: MessagePort;
  readonly module: string;
  readonly exportName: string;
  /** Whether somebody wants to know what the module prints. */
  readonly wantsOutput: boolean;
}

/** To the thread. */
export type ToThread =
  | { readonly token: string; readonly attempt: number; readonly event: EventJson }
  /** The call's time is over. */
  | { readonly abort: string; readonly reason: ThrownData };

/** From the thread. */
export type FromThread =
  | { readonly isReady: true }
  /** A line that the module prints. */
  | { readonly line: string; readonly from: OutputStream }
  /** The module does not load. */
  | { readonly broken: ThrownData }
  /** The call of this token has ended. */
  | { readonly token: string; readonly thrown?: ThrownData };

/** Reads what a thread says, in which anything may run; undefined when it is nothing that {@link FromThread} has. */
export function readFromThread(message: unknown): FromThread | undefined {
  if (typeof message !== "object" || message === null) return undefined;
  const { isReady, broken, token, thrown, line, from } = message as Readonly<Record<string, unknown>>; // read one by one
  if (isReady === true) return { isReady };
  if (broken !== undefined) {
    const data = readThrown(broken);
    return data === undefined ? undefined : { broken: data };
  }
  if (typeof line === "string" && (from === "stdout" || from === "stderr")) return { line, from };
  if (typeof token !== "string") return undefined;
  if (thrown === undefined) return { token };
  const data = readThrown(thrown);
  return data === undefined ? undefined : { token, thrown: data };
}
