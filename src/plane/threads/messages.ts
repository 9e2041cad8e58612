/** What threads say to one another. Everything is data; calls and answers are JSON text, whose way is the shortest. */

import type { ReconcileCall, Reconciled } from "../../controller/index.js";
import { type JsonObject, type ThrownData, thrownData } from "../../kernel/index.js";

/** To a thread. */
export interface CallMessage {
  readonly id: number;
  /** A {@link ReconcileCall}. */
  readonly text: string;
}

/** What a thread has loaded, so that the plane knows that it is the same. */
export interface LoadedApp {
  readonly controllers: readonly string[];
  /** By aggregate, lower-case hex. */
  readonly foldDigests: Readonly<Record<string, string>>;
}

/** From a thread. */
export type ThreadMessage =
  | { readonly ready: LoadedApp }
  /** The app does not load. */
  | { readonly broken: ThrownData }
  | { readonly id: number; readonly answer: string }
  | { readonly id: number; readonly thrown: ThrownData }
  | { readonly id: number; readonly log: LogData }
  /** Something that nobody waits for was thrown, after the call that set it off. */
  | { readonly stray: ThrownData };

/** An entry of `ctx.log`. */
export interface LogData {
  readonly level: "info" | "warn";
  readonly fields: JsonObject;
  readonly message: string;
}

/** Something that nobody waits for was thrown. */
export function strayMessage(error: unknown): ThreadMessage {
  return { stray: thrownData(error) };
}

/** The call as text. Who asked stays here: threads get nothing of the origin but what a controller may see. */
export function callText(call: ReconcileCall): string {
  const { origin, ...resource } = call.resource;
  const shown = origin === null ? null : { ...origin, causedByText: "", traceparent: null, correlationId: "" };
  return JSON.stringify({ ...call, resource: { ...resource, origin: shown } });
}

/** The answer out of its text. */
export function answerOf(text: string): Reconciled {
  return JSON.parse(text) as Reconciled; // the thread wrote it
}
