/** Chapter 2: both tenants publish, and everything is killed in the middle of it. */
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../kernel/index.js";
import { formatMs } from "../duration.js";
import { Follower } from "./follower.js";
import { PlaneProcess } from "./plane-process.js";
import { type DemoTenant, lastPosition, type Scene, shown } from "./scene.js";

/** The crash comes when this part of all intents is acknowledged. */
const crashAt = 0.4;
const settlesWithinMs = 20_000;
/** A call is answered after 180 ms. */
const freshUs = 50_000;
const callWithinMs = 5_000;
const pollMs = 5;
/** What the killed plane had sent may be read so late on a busy machine; no plane starts that fast. */
const lateArrivalMs = 200;

/** What this chapter measured. */
export interface CrashResult {
  /** From SIGKILL to the first acknowledgement afterwards. */
  readonly recoveryMs: number;
  /** When the calls of the killed plane had arrived and the next one called nobody yet, wall clock, microseconds since 1970. */
  readonly betweenUs: number;
  /** Events of both tenants a second, from the first request to the last Ready, the crash included. */
  readonly eventsPerSecond: number;
  /** Still following; the caller stops it. */
  readonly follower: Follower;
}

/** Publishes A's and B's intents at once, kills the plane and its PostgreSQL, starts them again on the same folder. */
export async function crashInTheMiddle(scene: Scene, onStart: (plane: PlaneProcess) => void): Promise<CrashResult> {
  const { report, a, b, signal } = scene;
  await report.chapter("Two tenants publish at once, and everything is killed in the middle");
  await describeWork(scene);
  const follower = new Follower(b.client, "organization.ready", signal);
  const startedMs = performance.now();
  const publishing = Promise.all([a.publisher.publish(a.intents, signal), b.publisher.publish(b.intents, signal)]);
  publishing.catch(() => undefined); // awaited below
  const killedMs = await killEverything(scene, publishing);
  const { recoveryMs, betweenUs } = await startAgain(scene, { publishing, killedMs, onStart });
  await publishing;
  await checkAcknowledged(scene);
  await follower.reaches(b.intents.length, { withinMs: settlesWithinMs, signal });
  const seconds = (performance.now() - startedMs) / 1_000;
  await report.check(
    follower.count === b.intents.length && follower.isInOrder,
    `a subscriber that was connected all the time was told of ${shown(follower.count)} Ready organizations: none missing, none twice`,
  );
  const stored = (await lastPosition(a, signal)) + (await lastPosition(b, signal));
  return { recoveryMs, betweenUs, eventsPerSecond: stored / seconds, follower };
}

/** Waits until one tenant has its part acknowledged. @returns when the signal was sent, monotonic milliseconds */
async function killEverything(scene: Scene, publishing: Promise<unknown>): Promise<number> {
  const { report, a, b } = scene;
  const total = a.intents.length + b.intents.length;
  const parts = active(scene).map(({ publisher, intents }) =>
    publisher.acknowledged(Math.ceil(intents.length * crashAt)),
  );
  await Promise.race([publishing, ...parts]);
  await callUnderWay(scene);
  const acknowledged = a.publisher.receipts.size + b.publisher.receipts.size;
  const inFlight = a.publisher.inFlight + b.publisher.inFlight;
  const killedMs = performance.now();
  const isGone = await scene.plane.kill();
  await report.check(
    isGone && acknowledged > 0 && acknowledged < total,
    `kill -9 of the plane and its PostgreSQL after ${shown(acknowledged)} of ${shown(total)} acknowledgements, ${inFlight} requests under way`,
  );
  return killedMs;
}

/** Waits until the service outside has just been asked, so that the kill comes in the middle of a call. */
async function callUnderWay({ ledger, signal }: Scene): Promise<void> {
  for (let waitedMs = 0; waitedMs < callWithinMs; waitedMs += pollMs) {
    const last = ledger.calls.findLast(({ isAccepted }) => isAccepted);
    if (last !== undefined && systemClock.nowUs() - last.atUs < freshUs) return;
    await sleep(pollMs, undefined, { signal });
  }
}

interface Restart {
  readonly publishing: Promise<unknown>;
  readonly killedMs: number;
  readonly onStart: (plane: PlaneProcess) => void;
}

/** @returns milliseconds from the kill to the first acknowledgement afterwards, and a time between the two planes' calls */
async function startAgain(
  scene: Scene,
  { publishing, killedMs, onStart }: Restart,
): Promise<Pick<CrashResult, "recoveryMs" | "betweenUs">> {
  const { report, site, signal } = scene;
  scene.plane = PlaneProcess.start(site);
  onStart(scene.plane);
  await sleep(lateArrivalMs, undefined, { signal });
  const betweenUs = systemClock.nowUs();
  const next = active(scene).map(({ publisher }) => publisher.acknowledged(publisher.receipts.size + 1));
  await scene.plane.ready(signal);
  await Promise.race([publishing, ...next]);
  const recoveryMs = performance.now() - killedMs;
  await report.check(true, `started again on the same folder: accepts intents ${formatMs(recoveryMs)} after the kill`);
  return { recoveryMs, betweenUs };
}

async function checkAcknowledged({ report, a, b }: Scene): Promise<void> {
  const total = a.intents.length + b.intents.length;
  const sentAgain = a.publisher.sentAgain + b.publisher.sentAgain;
  const alreadyStored = a.publisher.alreadyStored + b.publisher.alreadyStored;
  await report.check(
    a.publisher.receipts.size + b.publisher.receipts.size === total,
    `all ${shown(total)} acknowledged; ${sentAgain} got no answer and were sent again with the same id, ${alreadyStored} of them had been stored already`,
  );
}

/** The tenants that have something to publish. */
function active({ a, b }: Scene): readonly DemoTenant[] {
  return [a, b].filter(({ intents }) => intents.length > 0);
}

async function describeWork({ report, a, b }: Scene): Promise<void> {
  if (a.intents.length > 0) {
    const conforming = a.intents.filter(
      ({ spec }) => spec !== undefined && "conforms" in spec && spec.conforms === true,
    ).length;
    await report.note(
      `A: ${shown(a.intents.length)} real GitHub webhook deliveries (${shown(conforming)} fit GitHub's published schemas; all are recorded)`,
    );
  }
  await report.note(
    `B: ${shown(b.intents.length)} organizations to create; each waits for three controllers, one of them for a service that takes 200 ms`,
  );
}
