/** A chapter of its own: a changed limit is decided again over history, before it is deployed. */
import { fileURLToPath } from "node:url";
import type { Redecided } from "../../controller/index.js";
import type { Event } from "../../event/index.js";
import { safe } from "../terminal.js";
import { evtctlAs, lastPosition, type Scene, shown, wholeLog } from "./scene.js";
import { demoAppFile } from "./workload.js";

/** The demo's app, with 30 members for a team instead of 25. */
const candidateFile = fileURLToPath(new URL("../../../examples/demo/candidate.config.ts", import.meta.url));
const limitToday = 25;
const limitCandidate = 30;
const differs = 6;

/** What today's controllers and a candidate's make of B's recorded decisions. */
export async function decideAgain(scene: Scene): Promise<void> {
  const { report, b, signal } = scene;
  await report.chapter(
    `A limit is about to change from ${limitToday} to ${limitCandidate}: history is decided again before it is deployed`,
  );
  const before = await lastPosition(b, signal);
  const wanted = organizationsWithLimit(await wholeLog(b, signal));
  const [today, candidate] = await Promise.all([verify(scene, demoAppFile), verify(scene, candidateFile)]);
  await report.check(
    today.status === 0 && today.redecided?.differing.decisions === 0,
    `today's controllers: ${shown(today.redecided?.decisions ?? 0)} recorded decisions would be the same`,
  );
  const { differing, controllers, first } = candidate.redecided ?? {};
  await report.check(
    candidate.status === differs &&
      differing?.resources === wanted &&
      Object.keys(controllers ?? {}).join() === "quota",
    `the candidate's: ${shown(differing?.resources ?? 0)} of ${b.intents.length} organizations would change, all by quota; status ${candidate.status}`,
  );
  const [difference] = first ?? [];
  const [change] = difference?.changes ?? [];
  await report.check(
    change?.recorded === limitToday && change.decided === limitCandidate,
    `the first: ${safe(difference?.aggregateId ?? "none", 40)}, ${safe(change?.member ?? "", 60)} ${JSON.stringify(change?.recorded)} → ${JSON.stringify(change?.decided)}`,
  );
  await report.check((await lastPosition(b, signal)) === before, "nothing was written");
}

/** Organizations whose quota was ever decided to be today's limit. */
function organizationsWithLimit(log: readonly Event[]): number {
  const decided = log.filter(({ decision, status }) => {
    const quota = status["quota"] as { readonly members?: unknown } | undefined; // only looked at
    return decision?.component === "quota" && quota?.members === limitToday;
  });
  return new Set(decided.map(({ aggregateId }) => aggregateId)).size;
}

async function verify(
  scene: Scene,
  config: string,
): Promise<{ readonly status: number | null; readonly redecided: Redecided | undefined }> {
  const args = ["controllers", "verify", "--config", config, "--limit", "1", "-o", "json"];
  const { status, output } = await evtctlAs(scene.b, args, scene);
  return { status, redecided: output.startsWith("{") ? (JSON.parse(output) as Redecided) : undefined }; // the command's form
}
