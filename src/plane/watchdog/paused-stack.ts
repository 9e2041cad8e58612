/** Reads a stack out of what V8's inspector says (v8.dev/docs/inspector, domain Debugger). */

/** Frames that are told, the innermost first. */
const framesMax = 8;

interface Frame {
  readonly functionName: string;
  readonly location: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber?: number };
}

interface InspectorMessage {
  readonly method?: string;
  readonly params?: { readonly scriptId?: string; readonly url?: string; readonly callFrames?: readonly Frame[] };
}

/** Learns the scripts' names on the way to the pause. */
export class PausedStack {
  readonly #urls = new Map<string, string>();

  /** @returns the stack in the form of `Error.stack` without its first line, once the thread is paused */
  read(message: object): string | undefined {
    const { method, params = {} } = message as InspectorMessage; // V8 wrote it
    if (method === "Debugger.scriptParsed") this.#urls.set(params.scriptId ?? "", params.url ?? "");
    if (method !== "Debugger.paused") return undefined;
    return (params.callFrames ?? [])
      .slice(0, framesMax)
      .map((frame) => this.#lineOf(frame))
      .join("\n");
  }

  #lineOf({ functionName, location }: Frame): string {
    const { scriptId, lineNumber, columnNumber = 0 } = location;
    return `    at ${functionName || "<anonymous>"} (${this.#urls.get(scriptId) ?? ""}:${lineNumber + 1}:${columnNumber + 1})`;
  }
}
