/** The same command line as a process of its own, as a user calls it. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The command that this code belongs to. */
export const commandFile: string = fileURLToPath(new URL("../main.js", import.meta.url));

const endsWithinMs = 30_000;

/** What a call left. */
export interface EvtctlResult {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Calls it and waits for its end; an abort kills it. */
export function evtctl(
  args: readonly string[],
  options: { readonly environment: Readonly<Record<string, string>>; readonly signal: AbortSignal },
): Promise<EvtctlResult> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(endsWithinMs)]);
    const child = spawn(process.execPath, [commandFile, ...args], {
      env: options.environment,
      stdio: ["ignore", "pipe", "pipe"],
      signal,
      killSignal: "SIGKILL",
    });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, output, errors }));
  });
}
