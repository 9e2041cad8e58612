/** Chapter 4: the whole log of both tenants is read and counted. */
import type { Event } from "../../event/index.js";
import { brokenPromises, firstGap, lostIds, readyOnce, repeatedIds } from "./log-checks.js";
import { type DemoTenant, type Scene, shown, wholeLog } from "./scene.js";

/** Reads everything and checks that nothing is lost, nothing is there twice, and nothing is missing between. */
export async function countTheLogs(
  scene: Scene,
  published: ReadonlyMap<DemoTenant, readonly string[]>,
): Promise<number> {
  const { report, a, b, signal } = scene;
  await report.chapter("The logs afterwards, read from the first position to the last");
  const logs = new Map<DemoTenant, readonly Event[]>();
  for (const tenant of published.keys()) logs.set(tenant, await wholeLog(tenant, signal));
  const sum = (count: (tenant: DemoTenant, log: readonly Event[]) => number): number =>
    [...logs].reduce((total, [tenant, log]) => total + count(tenant, log), 0);

  const wanted = sum((tenant) => published.get(tenant)?.length ?? 0);
  const lost = sum((tenant, log) => lostIds(published.get(tenant) ?? [], log).length);
  await report.check(lost === 0, `${shown(lost)} lost: all ${shown(wanted)} published intents are there`);
  const broken = sum(({ publisher }, log) => brokenPromises(publisher.receipts.values(), log).length);
  await report.check(
    broken === 0,
    `${shown(broken)} changed: position, version and hash are those of the acknowledgement, before the kill too`,
  );
  const repeated = sum((_tenant, log) => repeatedIds(log).length);
  const intents = sum((_tenant, log) => log.filter(({ kind }) => kind === "intent").length);
  await report.check(
    repeated === 0 && intents === wanted,
    `${shown(repeated)} twice: ${shown(intents)} intents for ${shown(wanted)} publications`,
  );
  for (const [tenant, log] of logs) {
    await report.check(firstGap(log) === undefined, `${tenant === a ? "A" : "B"}: ${positionsOf(log)}`);
  }
  await checkReady(scene, logs.get(b) ?? []);
  return sum((_tenant, log) => log.length);
}

/** Each intent has its one `ready` fact, and the resources say the same. */
async function checkReady({ report, b, signal }: Scene, log: readonly Event[]): Promise<void> {
  const once = readyOnce("organization", log);
  const created = b.intents.filter(({ id }) => once.has(b.publisher.receipts.get(id)?.correlationId ?? "")).length;
  let ready = 0;
  for await (const { phase } of b.client.resources("organization", { limit: 1_000, signal }))
    if (phase === "Ready") ready += 1;
  const wanted = b.intents.length;
  await report.check(
    created === wanted && ready === wanted,
    `B: ${ready} of ${wanted} organizations are Ready, each creation with exactly one ready fact`,
  );
}

function positionsOf(log: readonly Event[]): string {
  const gap = firstGap(log);
  if (gap !== undefined) return `position ${gap} is missing`;
  return log.length === 0 ? "the log is empty" : `positions 1 … ${shown(log.length)} without a gap`;
}
