/** What every command has: where to write, the environment, whom to talk to, and its exit status. */
import type { Command } from "commander";
import { EventplaneError } from "../kernel/errors.js";
import { Credentials } from "./credentials.js";
import { type OutputFormat, Printer } from "./output.js";
import type { Terminal } from "./terminal.js";

/** Options that every command takes. */
export interface GlobalOptions {
  readonly output: OutputFormat;
  readonly url?: string;
  readonly tenant?: string;
  readonly dataDir?: string;
  readonly apiKeyStdin?: boolean;
}

/** Standard input as bytes. */
export type Input = AsyncIterable<Uint8Array | string>;

const secretCharactersMax = 1_024;

/** One run of evtctl. */
export class Shell {
  readonly terminal: Terminal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdin: Input;
  /** Set by a command that ended without an error but not with success. */
  exitStatus = 0;

  constructor(parts: { terminal: Terminal; environment: Readonly<Record<string, string | undefined>>; stdin: Input }) {
    this.terminal = parts.terminal;
    this.environment = parts.environment;
    this.stdin = parts.stdin;
  }

  /** The options of all commands, wherever they stood. */
  globals(command: Command): GlobalOptions {
    return command.optsWithGlobals<GlobalOptions>();
  }

  /** Prints in the form that was asked for. */
  printer(command: Command): Printer {
    return new Printer(this.terminal, this.globals(command).output);
  }

  /** Address, tenant and key. */
  credentials(command: Command): Credentials {
    const { url, tenant, dataDir, apiKeyStdin } = this.globals(command);
    return new Credentials({
      environment: this.environment,
      url,
      tenant,
      dataDir,
      apiKeyStdin,
      readStdin: () => this.#firstLine(),
    });
  }

  /** How the user called us, for the commands that we suggest. */
  get self(): string {
    const fromClone = ["evtctl", "demo"].includes(this.environment["npm_lifecycle_event"] ?? "");
    return fromClone ? "npm run evtctl --" : "npx evtctl";
  }

  async #firstLine(): Promise<string> {
    let text = "";
    for await (const chunk of this.stdin) {
      text += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8");
      if (text.length > secretCharactersMax)
        throw new EventplaneError("usage", "Standard input holds more than one API key.");
    }
    return text;
  }
}
