/** Where a thread is that does not answer. */
import { Session } from "node:inspector";
import type { Worker } from "node:worker_threads";

/** Frames that are told, the innermost first. */
const framesMax = 8;

interface Frame {
  readonly functionName: string;
  readonly location: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber?: number };
}

/** A message of the Chrome DevTools protocol (v8.dev/docs/inspector), as far as it is read here. */
interface InspectorMessage {
  readonly method?: string;
  readonly params?: { readonly scriptId?: string; readonly url?: string; readonly callFrames?: readonly Frame[] };
}

/**
 * The stack of a thread that runs, in the form of `Error.stack` without its first line: V8's inspector interrupts even an
 * endless loop. The thread goes on afterwards; it is to be ended.
 *
 * @param signal ends the wait; then the stack is empty
 */
export function stackOfThread(worker: Worker, signal: AbortSignal): Promise<string> {
  const session = new Session();
  return new Promise<string>((resolve) => {
    const end = (stack: string): void => {
      signal.removeEventListener("abort", giveUp);
      session.disconnect();
      resolve(stack);
    };
    const giveUp = (): void => end("");
    signal.addEventListener("abort", giveUp, { once: true });
    session.connect();
    session.on("NodeWorker.attachedToWorker", ({ params: { sessionId, workerInfo } }) => {
      // Its workerId is a number of the inspector's own.
      if (workerInfo.title.startsWith(`[worker ${worker.threadId}]`)) interrupt(session, sessionId, end);
    });
    session.post("NodeWorker.enable", { waitForDebuggerOnStart: false });
  });
}

function interrupt(session: Session, sessionId: string, end: (stack: string) => void): void {
  const urls = new Map<string, string>();
  let id = 0;
  const send = (method: string): void => {
    const message = JSON.stringify({ id: ++id, method });
    session.post("NodeWorker.sendMessageToWorker", { sessionId, message });
  };
  session.on("NodeWorker.receivedMessageFromWorker", ({ params }) => {
    if (params.sessionId !== sessionId) return;
    const { method, params: told = {} } = JSON.parse(params.message) as InspectorMessage; // V8 wrote it
    if (method === "Debugger.scriptParsed") urls.set(told.scriptId ?? "", told.url ?? "");
    if (method !== "Debugger.paused") return;
    // A thread that stands still could not be ended.
    send("Debugger.resume");
    send("Debugger.disable");
    end(
      (told.callFrames ?? [])
        .slice(0, framesMax)
        .map((frame) => lineOf(frame, urls))
        .join("\n"),
    );
  });
  send("Debugger.enable");
  send("Debugger.pause");
}

function lineOf({ functionName, location }: Frame, urls: ReadonlyMap<string, string>): string {
  const { scriptId, lineNumber, columnNumber = 0 } = location;
  return `    at ${functionName || "<anonymous>"} (${urls.get(scriptId) ?? ""}:${lineNumber + 1}:${columnNumber + 1})`;
}
