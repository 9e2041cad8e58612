/** Attack 6: a subscriber that stops taking anything. Publishers go on, the rest is bounded, it resumes without a gap. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createClient } from "../src/client/index.js";
import { unsentBytesMax } from "../src/edge/index.js";
import { systemClock } from "../src/kernel/index.js";
import { type EdgeFixture, eventually, type FixtureTenant, startEdge } from "./support/edge-fixture.js";

/** A subscriber as a process of its own: it reports how it gets on and connects again with Last-Event-ID when it is cut. */
const subscriber = `
const [url, key] = process.argv.slice(1);
let position = 0, gaps = 0, repeats = 0, ends = [];
const report = () => console.log(JSON.stringify({ position, gaps, repeats, ends }));
setInterval(report, 50);
(async () => {
  for (;;) {
    try {
      const response = await fetch(url + "/v1/tenants/acme/subscribe?after=0", {
        headers: { authorization: "Bearer " + key, ...(position > 0 ? { "last-event-id": String(position) } : {}) },
      });
      let text = "";
      for await (const chunk of response.body) {
        text += Buffer.from(chunk).toString("latin1");
        for (let end = text.indexOf("\\n\\n"); end !== -1; end = text.indexOf("\\n\\n")) {
          const frame = text.slice(0, end);
          text = text.slice(end + 2);
          if (/^event: end/m.test(frame)) ends.push(JSON.parse(/^data: (.*)$/m.exec(frame)[1]).code);
          if (/^event: (end|bookmark)/m.test(frame) || !/^id: /m.test(frame)) continue;
          const at = Number(/^id: (\\d+)/m.exec(frame)[1]);
          if (at <= position) repeats++; else if (at !== position + 1) gaps++;
          position = at;
        }
      }
    } catch {}
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
})();
`;

interface Report {
  readonly position: number;
  readonly gaps: number;
  readonly repeats: number;
  readonly ends: readonly string[];
}

const frozenMs = 5_000;
const specBytes = 20_000;

let edge: EdgeFixture;
let acme: FixtureTenant;
let child: ChildProcess;
let last: Report = { position: 0, gaps: 0, repeats: 0, ends: [] };

beforeAll(async () => {
  edge = await startEdge();
  acme = await edge.tenant("acme");
  child = spawn(process.execPath, ["-e", subscriber, edge.url, acme.key], { stdio: ["ignore", "pipe", "inherit"] });
  if (child.stdout !== null)
    createInterface({ input: child.stdout }).on("line", (line) => (last = JSON.parse(line) as Report)); // as it prints
});
afterAll(async () => {
  child.kill("SIGKILL");
  if (child.exitCode === null) await once(child, "close");
  await edge.close();
});

test("attack 6: a stopped subscriber holds up nobody, costs a bounded rest, is cut, and resumes without a gap", async () => {
  const client = createClient({ baseUrl: edge.url, apiKey: acme.key, tenant: "acme" });
  const publish = async (): Promise<number> => {
    const from = performance.now();
    await client.publish({ type: "note.create", spec: { text: "x".repeat(specBytes) } });
    return performance.now() - from;
  };
  const before: number[] = [];
  for (let n = 0; n < 200; n++) before.push(await publish());
  await eventually(() => (last.position >= 200 ? true : undefined), "the subscriber is live");

  child.kill("SIGSTOP");
  const frozenAt = performance.now();
  const during: number[] = [];
  let unsentMax = 0;
  let cut = false;
  // A busy machine publishes less in the time; the subscriber must miss far more than may wait for it.
  while (performance.now() - frozenAt < frozenMs || during.length * specBytes <= 8 * unsentBytesMax) {
    during.push(await publish());
    unsentMax = Math.max(unsentMax, edge.edge.subscriptions.unsentBytes);
    cut ||= edge.edge.subscriptions.size === 0;
    await systemClock.sleep(2);
  }
  child.kill("SIGCONT");

  const { position } = await edge.reader.head(acme.id);
  const resumed = await eventually(
    () => (last.position >= position ? last : undefined),
    "the subscriber has caught up",
  );
  expect(during.length * specBytes).toBeGreaterThan(8 * unsentBytesMax);
  expect(cut).toBe(true);
  expect(unsentMax).toBeLessThanOrEqual(unsentBytesMax);
  expect(resumed).toMatchObject({ gaps: 0, repeats: 0 });
  expect(percentile(during, 0.99)).toBeLessThan(Math.max(50, 3 * percentile(before, 0.99)));
  const metrics = await (await fetch(`${edge.url}/metrics`)).text();
  expect(metrics).toContain('eventplane_subscriber_cut_total{reason="subscriber_too_slow"} 1');
}, 60_000);

function percentile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? 0;
}
