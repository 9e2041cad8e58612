/** Where a result comes from: without it a number says nothing. */
import { execFileSync } from "node:child_process";
import { cpus, loadavg, totalmem } from "node:os";

/** Machine, versions, commit and load at the start of a row. */
export interface Environment {
  readonly at: string;
  readonly commit: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly postgres: string;
  readonly settings: string;
  /** Load average of the last minute. */
  readonly load: number;
}

/** As it is now. */
export function environment(): Environment {
  return {
    at: new Date().toISOString(),
    commit: commit(),
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    postgres: output("postgres", ["--version"]) ?? "from the npm package",
    settings: "PostgreSQL's defaults: fsync, full_page_writes and synchronous_commit on; max_connections 300",
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

function commit(): string {
  const hash = output("git", ["rev-parse", "--short", "HEAD"]) ?? "unknown";
  const changed = output("git", ["status", "--porcelain", "--untracked-files=no", "--", "src"]) ?? "";
  return changed === "" ? hash : `${hash} with changes`;
}

function output(command: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined; // not installed, or no repository
  }
}
