/** Where a thread is that does not answer. */
import { Session } from "node:inspector";
import type { Worker } from "node:worker_threads";
import { PausedStack } from "../watchdog/paused-stack.js";

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
  const paused = new PausedStack();
  let id = 0;
  const send = (method: string): void => {
    const message = JSON.stringify({ id: ++id, method });
    session.post("NodeWorker.sendMessageToWorker", { sessionId, message });
  };
  session.on("NodeWorker.receivedMessageFromWorker", ({ params }) => {
    if (params.sessionId !== sessionId) return;
    const stack = paused.read(JSON.parse(params.message) as object); // V8 wrote it
    if (stack === undefined) return;
    // A thread that stands still could not be ended.
    send("Debugger.resume");
    send("Debugger.disable");
    end(stack);
  });
  send("Debugger.enable");
  send("Debugger.pause");
}
