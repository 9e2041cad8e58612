/** A plane in this process, for `dev` and `start`: configuration, logs, signals. */
import type { Command } from "commander";
import { EventplaneError, isEventplaneError } from "../kernel/errors.js";
import type { Logger, LogLevel } from "../observe/index.js";
import { type Config, type RunPlaneOptions, resolveConfig, runPlane, type SettingName } from "../plane/index.js";
import type { Shell } from "./shell.js";

/** Flags of a process that serves. */
export interface ServeFlags {
  readonly port?: string;
  readonly host?: string;
  readonly dataDir?: string;
  readonly config?: string;
  /** Comma-separated. */
  readonly roles?: string;
}

/** npm and a terminal may both pass one Ctrl-C on. */
const sameSignalMs = 300;
const endsWithinMs = 9_500;
const lingersMs = 500;
const logLevels: readonly string[] = ["debug", "info", "warn", "error", "silent"];

/** Adds the flags that `dev` and `start` share. */
export function withServeFlags(command: Command): Command {
  return command
    .option("-p, --port <port>", "port to listen on (PORT; default 8787; 0 takes a free one)")
    .option("--host <address>", "address to listen on (default 127.0.0.1)")
    .option("-c, --config <file>", "the application's file (default eventplane.config.ts)");
}

/** The configuration of environment and flags. @throws EventplaneError `config_invalid` */
export function serveConfig(flags: ServeFlags, shell: Shell): Config {
  const given: Partial<Record<SettingName, string>> = {};
  if (flags.port !== undefined) given["edge.port"] = flags.port;
  if (flags.host !== undefined) given["edge.host"] = flags.host;
  if (flags.dataDir !== undefined) given["data.dir"] = flags.dataDir;
  if (flags.config !== undefined) given["app.config"] = flags.config;
  if (flags.roles !== undefined) given["process.roles"] = flags.roles;
  return resolveConfig({ environment: shell.environment, flags: given });
}

/** The level that the configuration names. @throws EventplaneError `config_invalid` */
export function logLevelOf(config: Config): LogLevel {
  const level = config.required("log.level");
  if (logLevels.includes(level)) return level as LogLevel; // one of the levels
  throw new EventplaneError("config_invalid", `Setting log.level must be one of ${logLevels.join(", ")}.`);
}

/** Where the watchdog writes; nowhere where nothing is logged. @throws EventplaneError `config_invalid` */
export function watchdogOutput(
  config: Config,
  output: NonNullable<RunPlaneOptions["watchdog"]>,
): RunPlaneOptions["watchdog"] {
  return logLevelOf(config) === "silent" ? undefined : output;
}

/**
 * Runs the plane until SIGINT or SIGTERM, which end it in order within 10 s; a second one ends it at once.
 *
 * @throws EventplaneError as runPlane
 */
export async function serve(options: Omit<RunPlaneOptions, "signal"> & { readonly logger: Logger }): Promise<void> {
  const stop = new AbortController();
  let firstMs: number | undefined;
  const onSignal = (): void => {
    const nowMs = performance.now();
    if (firstMs === undefined) {
      firstMs = nowMs;
      stop.abort();
      setTimeout(() => process.exit(1), endsWithinMs).unref();
    } else if (nowMs - firstMs > sameSignalMs) {
      process.exit(1);
    }
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  try {
    await runPlane({ ...options, signal: stop.signal });
  } catch (error) {
    if (!(stop.signal.aborted && isEventplaneError(error, "aborted"))) throw error;
  } finally {
    // What did not end by itself, after a lost database, may not keep the process.
    setTimeout(() => process.exit(), lingersMs).unref();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}
