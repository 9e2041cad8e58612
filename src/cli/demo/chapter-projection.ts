/** Chapter 6: a question to a projection, and a rebuild of it while it is asked. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ProjectionInfo } from "../../client/index.js";
import { safe } from "../terminal.js";
import { evtctl } from "./evtctl.js";
import { lastPosition, type Scene, shown } from "./scene.js";
import type { NamedIntent } from "./workload.js";

const projection = "organizations_by_plan";
const readEveryMs = 5;

/** Asks for the organizations of each plan, rebuilds the answer, and asks all the while. */
export async function rebuildLive(scene: Scene, changes: readonly NamedIntent[]): Promise<void> {
  const { report, b, signal } = scene;
  await report.chapter(`A question to the projection ${projection}, and its rebuild while it is asked`);
  const ask = async (minPosition?: number): Promise<string> => {
    const options = minPosition === undefined ? { signal } : { signal, minPosition };
    const { rows } = await b.client.query<PlanRow>(projection, { table: "plans" }, options);
    return rows.map(({ group, count }) => `${group.plan} ${count}`).join(", ");
  };
  const wanted = expectedPlans(b.intents, changes);
  const before = await ask(await lastPosition(b, signal));
  await report.check(before === wanted, `organizations by plan, the last change in it: ${safe(before)}`);
  const reading = new AbortController();
  const reads = readAllTheTime(ask, reading.signal);
  const rebuilt = await evtctl(["projection", "rebuild", projection, "-o", "json"], {
    environment: operatorEnvironment(scene),
    signal,
  });
  reading.abort();
  const { answers, failures } = await reads;
  const check = rebuilt.status === 0 ? (JSON.parse(rebuilt.output) as ProjectionInfo).check : null; // what the command prints
  const isSame = check !== null && check.isSame && answers.size === 1 && answers.has(before);
  await report.check(
    isSame && failures === 0,
    `a projection rebuilt live with the same digest, ${safe(check?.fresh.slice(0, 16))}…: ${shown(reads.count())} reads meanwhile, ${failures} errors, one answer`,
  );
}

interface PlanRow {
  readonly group: { readonly plan: string };
  readonly count: number;
}

/** `enterprise 80, free 60, team 60`: what was published says. */
function expectedPlans(organizations: readonly NamedIntent[], changes: readonly NamedIntent[]): string {
  const plans = new Map<unknown, unknown>();
  for (const { id, spec } of organizations) plans.set(id, planOf(spec));
  for (const { aggregateId, spec } of changes) plans.set(aggregateId, planOf(spec));
  const counts = new Map<unknown, number>();
  for (const plan of plans.values()) counts.set(plan, (counts.get(plan) ?? 0) + 1);
  return [...counts]
    .map(([plan, count]) => `${String(plan)} ${count}`)
    .sort()
    .join(", ");
}

function planOf(spec: object | undefined): unknown {
  return spec !== undefined && "plan" in spec ? spec.plan : undefined;
}

interface Reads extends Promise<{ readonly answers: ReadonlySet<string>; readonly failures: number }> {
  count(): number;
}

/** Until the signal aborts; at least one. */
function readAllTheTime(ask: () => Promise<string>, signal: AbortSignal): Reads {
  const answers = new Set<string>();
  let count = 0;
  let failures = 0;
  const read = async (): Promise<void> => {
    count += 1;
    try {
      answers.add(await ask());
    } catch {
      failures += 1;
    }
  };
  const all = async (): Promise<{ answers: ReadonlySet<string>; failures: number }> => {
    do {
      await read();
      await sleep(readEveryMs);
    } while (!signal.aborted);
    return { answers, failures };
  };
  return Object.assign(all(), { count: () => count });
}

/** The key of the platform is in the data folder. */
function operatorEnvironment({ site, plane, b }: Scene): Readonly<Record<string, string>> {
  return {
    ...site.environment,
    EVENTPLANE_URL: plane.url,
    EVENTPLANE_DATA__DIR: site.dataDir,
    EVENTPLANE_TENANT: b.slug,
  };
}
