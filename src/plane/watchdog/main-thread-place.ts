/** Where the main thread is that stands still; for other threads. */
import { Session } from "node:inspector";
import { PausedStack } from "./paused-stack.js";

/**
 * The stack of the main thread, in the form of `Error.stack` without its first line. It is held for a millisecond.
 *
 * @param signal ends the wait; then the stack is empty
 */
export function stackOfMainThread(signal: AbortSignal): Promise<string> {
  const session = new Session();
  session.connectToMainThread();
  return new Promise((resolve) => {
    const paused = new PausedStack();
    const end = (stack: string): void => {
      signal.removeEventListener("abort", giveUp);
      session.post("Debugger.resume", () => {});
      session.post("Debugger.disable", () => session.disconnect());
      resolve(stack);
    };
    const giveUp = (): void => end("");
    signal.addEventListener("abort", giveUp, { once: true });
    session.on("inspectorNotification", (message) => {
      const stack = paused.read(message);
      if (stack !== undefined) end(stack);
    });
    session.post("Debugger.enable");
    session.post("Debugger.pause");
  });
}
