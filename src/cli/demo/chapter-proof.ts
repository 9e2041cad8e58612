/** The last chapters: what another tenant may see, and what a superuser can hide. */

import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "../../client/index.js";
import { isEventplaneError } from "../../kernel/errors.js";
import { safe } from "../terminal.js";
import { receiptOf } from "./publisher.js";
import { type DemoTenant, evtctlAs, type Scene } from "./scene.js";
import { asSuperuser, bytesPerEvent, changeOneByte, refusalOfChange } from "./superuser.js";

const refusalRecordedWithinMs = 5_000;
const verificationFailed = 6;

/** B's key asks for A's events. */
export async function lookOverTheFence(scene: Scene): Promise<void> {
  const { report, a, b, plane, signal } = scene;
  await report.chapter("B tries to read A's events");
  const intruder = createClient({ baseUrl: plane.url, apiKey: b.apiKey, tenant: a.slug });
  const refusal = await intruder.readPage({}, { signal }).then(
    () => undefined,
    (error: unknown) => (isEventplaneError(error) ? error : undefined),
  );
  await report.check(
    refusal?.details["status"] === 403,
    `B reads ${a.slug}: ${String(refusal?.details["status"] ?? "answered")} ${refusal?.code ?? ""}`,
  );
  const recorded = await refusalEvent(b, signal);
  await report.check(
    recorded !== undefined,
    recorded === undefined
      ? "no event tells of the refusal"
      : `the refusal is event ${recorded.position} of B's own log: ${recorded.type}, ${JSON.stringify(recorded.spec["code"])}`,
  );
  await checkUntold(scene);
}

async function refusalEvent({ client }: DemoTenant, signal: AbortSignal): ReturnType<typeof latest> {
  const deadline = performance.now() + refusalRecordedWithinMs;
  for (;;) {
    const found = await latest(client, signal);
    if (found !== undefined || performance.now() > deadline) return found;
    await sleep(50, undefined, { signal });
  }
}

async function latest(client: DemoTenant["client"], signal: AbortSignal) {
  const { events } = await client.readPage({ type: "refusal.recorded", direction: "backwards", limit: 1 }, { signal });
  return events[0];
}

/** A is not told either, and nothing of the attempt is in its log. */
async function checkUntold({ report, a, signal }: Scene): Promise<void> {
  const { events } = await a.client.readPage({ type: "refusal.recorded" }, { signal });
  await report.check(events.length === 0, "A's log has no trace of it");
}

/** Both logs verify; then a superuser changes one byte. @returns bytes per event */
export async function changeHistory(scene: Scene): Promise<number> {
  const { report, a, b, site } = scene;
  await report.chapter("Proof: one byte changed behind everybody's back");
  for (const tenant of [a, b]) {
    const { status, output, errors } = await evtctlAs(tenant, ["verify"], scene);
    await report.check(
      status === 0,
      `\`evtctl verify\` of ${tenant.slug}: ${safe(lastLine(output) || lastLine(errors))}`,
    );
  }
  const place = { tenantId: b.id, position: receiptOf(b.publisher, b.intents[0]?.id ?? "").position };
  const { bytes, refusal, change } = await asSuperuser(site.dataDir, async (client) => ({
    bytes: await bytesPerEvent(client),
    refusal: await refusalOfChange(client, place),
    change: await changeOneByte(client, place),
  }));
  await report.check(refusal !== undefined, "as superuser: a plain UPDATE of an event is refused by the log's trigger");
  await report.note(`so the superuser turns the trigger off and changes one byte of position ${place.position}:`);
  await report.note(safe(change));
  const { status, output, errors } = await evtctlAs(b, ["verify"], scene);
  const said = `${output}\n${errors}`;
  const namesIt =
    (said.includes(b.id) || said.includes(b.slug)) && new RegExp(`position \\D{0,3}${place.position}\\b`).test(said);
  await report.check(
    status === verificationFailed && namesIt,
    `\`evtctl verify\` exits ${status} and names tenant and position:`,
  );
  await report.quote(safe(errors.trim().split("\n")[0] ?? ""));
  return bytes;
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
