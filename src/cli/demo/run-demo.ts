/**
 * `evtctl demo`: the main job in front of the reader's eyes, on a plane of its own that is killed and tampered with.
 * Every line with a mark is a check; one that fails makes the exit status 1.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatMs } from "../duration.js";
import type { Terminal } from "../terminal.js";
import { openBillingLedger } from "./billing-ledger.js";
import { changePlans } from "./chapter-calm.js";
import { crashInTheMiddle } from "./chapter-crash.js";
import { countTheLogs } from "./chapter-log.js";
import { countOutsideCalls } from "./chapter-outside.js";
import { rebuildLive } from "./chapter-projection.js";
import { changeHistory, lookOverTheFence } from "./chapter-proof.js";
import { decideAgain } from "./chapter-redecide.js";
import { startPlane } from "./chapter-start.js";
import { freePort, type PlaneProcess } from "./plane-process.js";
import { type Send, sendOnce } from "./publisher.js";
import { Report } from "./report.js";
import { type Stage, shown } from "./scene.js";
import { demoAppFile } from "./workload.js";

/** How to run it. */
export interface DemoOptions {
  readonly terminal: Terminal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** How a reader calls evtctl, for the commands to try next. */
  readonly self: string;
  /** How one intent is sent; tests give one that loses some. */
  readonly send?: Send;
}

const interruptedStatus = 130;
const endingSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs the demo. Whatever happens, the plane is ended and its folder removed, on SIGINT, SIGTERM and SIGHUP too.
 *
 * @returns exit status: 0 when every check holds, 1 when one does not, 130 when it was interrupted
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { terminal } = options;
  const report = new Report(terminal);
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  for (const signal of endingSignals) process.on(signal, onSignal);
  const folder = await mkdtemp(join(tmpdir(), "eventplane-demo-"));
  const planes: PlaneProcess[] = [];
  try {
    const dataDir = join(folder, "data");
    await mkdir(dataDir, { mode: 0o700 });
    const ledger = await openBillingLedger();
    const site = {
      dataDir,
      port: await freePort(),
      appFile: demoAppFile,
      environment: { ...cleanEnvironment(options.environment), BILLING_URL: ledger.url },
    };
    const stage: Stage = { report, site, ledger, signal: stop.signal };
    await tellStory(stage, { ...options, onStart: (plane) => planes.push(plane) });
    await report.chapter("The end");
    await endPlane(report, planes);
    await rm(folder, { recursive: true, force: true });
    await tellNext(report, options.self);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    terminal.note("Interrupted: the demo ends its plane and removes its folder.");
    return interruptedStatus;
  } finally {
    stop.abort();
    await Promise.all(planes.map((plane) => plane.stop()));
    await rm(folder, { recursive: true, force: true });
    for (const signal of endingSignals) process.off(signal, onSignal);
  }
  return report.failed === 0 ? 0 : 1;
}

async function tellStory(
  stage: Stage,
  options: DemoOptions & { readonly onStart: (plane: PlaneProcess) => void },
): Promise<void> {
  const { report } = stage;
  await report.line(
    "Eventplane in half a minute: two customers, a crash in the middle of their work, and proof of what happened.",
  );
  const scene = await startPlane(stage, { send: options.send ?? sendOnce, onStart: options.onStart });
  const { a, b } = scene;
  const { recoveryMs, betweenUs, eventsPerSecond, follower } = await crashInTheMiddle(scene, options.onStart);
  const { changes, readyMs } = await changePlans(scene, follower);
  await follower.stop();
  const ids = (intents: readonly { readonly id: string }[]): readonly string[] => intents.map(({ id }) => id);
  const events = await countTheLogs(
    scene,
    new Map([
      [a, ids(a.intents)],
      [b, ids([...b.intents, ...changes])],
    ]),
  );
  await countOutsideCalls(scene, betweenUs);
  await rebuildLive(scene, changes);
  await decideAgain(scene);
  await lookOverTheFence(scene);
  const bytes = await changeHistory(scene);
  const numbers = [
    [shown(events), "events stored, each signed and chained"],
    [`${shown(eventsPerSecond)}/s`, "events stored a second, the crash and the restart included"],
    [formatMs(readyMs), "from intent to Ready, the middle of 20 (billing alone waits 200 ms for its service)"],
    [formatMs(recoveryMs), "from kill -9 to the next acknowledged intent"],
    [shown(bytes), "bytes an event takes in PostgreSQL, indexes included"],
  ] as const;
  await report.chapter("Five numbers, of this run on this machine");
  for (const [value, meaning] of numbers) await report.line(`   ${value.padStart(9)}  ${meaning}`);
}

async function endPlane(report: Report, planes: readonly PlaneProcess[]): Promise<void> {
  const startedMs = performance.now();
  const ended = await planes.at(-1)?.stop();
  const took = formatMs(performance.now() - startedMs);
  await report.check(
    ended?.status === 0 && ended.isGone,
    `SIGTERM ended the plane and its PostgreSQL in order after ${took}; no process is left`,
  );
}

async function tellNext(report: Report, self: string): Promise<void> {
  await report.line();
  const verdict =
    report.failed === 0
      ? `All ${report.passed} checks hold.`
      : `${report.failed} of ${report.passed + report.failed} checks FAILED: see the lines with ✗.`;
  await report.line(verdict);
  await report.line();
  await report.line("Try next:");
  await report.line(`  ${self} dev`);
  await report.line(
    `  ${self} publish organization.create --spec '{"name":"Acme","plan":"team","region":"eu"}' --watch     (in a second terminal)`,
  );
  await report.line(`  ${self} verify`);
}

/** The environment without anything that would lead the demo to another database, plane or key. */
function cleanEnvironment(environment: DemoOptions["environment"]): Readonly<Record<string, string>> {
  const ours = /^(?:EVENTPLANE_.*|DATABASE_URL(?:_FILE)?|PORT|LOG_LEVEL)$/;
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !ours.test(entry[0]),
    ),
  );
}
