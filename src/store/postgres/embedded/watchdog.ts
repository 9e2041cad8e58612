/**
 * A small shell that outlives us by seconds: when this process dies in any way, its standard input ends and it stops
 * PostgreSQL, cleanly first, then hard. It signals only the process that `postmaster.pid` still names.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Cluster } from "./cluster.js";

/** The running watchdog. */
export interface Watchdog {
  /** Ends it; to be called when PostgreSQL has ended. */
  dismiss(): Promise<void>;
}

// After 1.5 s SIGQUIT: PostgreSQL ends without a checkpoint and recovers at the next start, nothing acknowledged is lost.
const script = `
read -r word
[ "$word" = dismissed ] && exit 0
running() { read -r named 2>/dev/null <postmaster.pid && [ "$named" = "$1" ] && kill -0 "$1" 2>/dev/null; }
wait_for() { n=0; while running "$1" && [ "$n" -lt "$2" ]; do sleep 0.1; n=$((n + 1)); done; }
running "$1" && kill -INT "$1"
wait_for "$1" 15
running "$1" && kill -QUIT "$1"
wait_for "$1" 50
running "$1" && kill -KILL "$1"
exit 0
`;

/** Guards the server with process id `pid`. Runs as PostgreSQL's user, in its folder, in a session of its own. */
export function startWatchdog(cluster: Cluster, pid: number): Watchdog {
  const { user } = cluster;
  const child = spawn("/bin/sh", ["-c", script, "eventplane-watchdog", String(pid)], {
    cwd: cluster.clusterDir,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  });
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    // Without a shell there is no watchdog; an orphan is then found at the next start.
    child.once("error", () => resolve());
  });
  child.stdin?.on("error", ignoreClosedPipe);
  release(child);
  return {
    async dismiss() {
      child.ref();
      child.stdin?.end("dismissed\n");
      await ended;
    },
  };
}

/** Neither the process nor its pipe keeps our event loop alive: a program that only forgets to close us may end. */
function release(child: ChildProcess): void {
  child.unref();
  const input = child.stdin;
  if (input !== null && "unref" in input && typeof input.unref === "function") input.unref();
}

/** The watchdog may have been killed by somebody: then there is nobody to dismiss. */
function ignoreClosedPipe(): void {}
