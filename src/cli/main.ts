#!/usr/bin/env node
/** The command line as a process. */
import { runCli } from "./run-cli.js";
import { createTerminal } from "./terminal.js";

/** A reader that has seen enough (`evtctl read | head`) is no error. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

process.exitCode = await runCli({
  args: process.argv.slice(2),
  environment: process.env,
  stdin: process.stdin,
  terminal: createTerminal(process.stdout, process.stderr, process.env),
});
