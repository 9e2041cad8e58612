/** An outside call whose outcome nobody knows, from the terminal: seen, looked at, decided. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EffectInfo, ResourceView } from "../src/client/index.js";
import { BillingService } from "./support/billing-service.js";
import { buildCommand, evtctl, type Finished, freePort, Served } from "./support/evtctl-process.js";

let folder = "";
let dataDir = "";
let dev: Served;
let service: BillingService;

/** The worker has no key to give, so it holds what nobody knows. */
const appText = (
  url: string,
): string => `import { blocked, defineAggregate, defineApp, defineController, defineWorker, done, pending } from "eventplane";

const text = { type: "string" } as const;
const organization = defineAggregate("organization", {
  spec: { type: "object", properties: { name: text }, required: ["name"] } as const,
  status: { billing: { type: "object", properties: { transfer: text }, required: ["transfer"] } as const },
  intents: { create: { creates: true } },
});
const transfer = defineWorker({
  name: "transfer",
  input: { type: "object", properties: { organization: text }, required: ["organization"] } as const,
  output: { type: "object", properties: { id: text }, required: ["id"] } as const,
  onUnknown: "hold",
  run: async ({ idempotencyKey, signal }) => {
    const response = await fetch("${url}", { headers: { "idempotency-key": idempotencyKey }, signal });
    return (await response.json()) as { id: string };
  },
});
const billing = defineController({
  name: "billing",
  watches: organization,
  reconcile({ resource, effects }) {
    const sent = effects.get(transfer, { organization: resource.aggregateId });
    if (sent.failed) return blocked("TransferFailed", sent.failed.message);
    return sent.ok ? done({ transfer: sent.ok.id }) : pending();
  },
});

export default defineApp({ aggregates: [organization], controllers: [billing], workers: [transfer] });
`;

beforeAll(async () => {
  buildCommand();
  service = await BillingService.open();
  folder = await mkdtemp(join(tmpdir(), "eventplane-effect-"));
  dataDir = join(folder, "data");
  const config = join(folder, "eventplane.config.ts");
  await writeFile(config, appText(service.url));
  dev = Served.start(["dev", "--data-dir", dataDir, "--config", config], await freePort());
  await dev.ready();
  await dev.says("Eventplane is ready");
});
afterAll(async () => {
  await dev?.end("SIGTERM");
  await service?.close();
  await rm(folder, { recursive: true, force: true });
});

const call = (...args: readonly string[]): Promise<Finished> => evtctl(["--data-dir", dataDir, ...args]);

async function json<Shape>(...args: readonly string[]): Promise<Shape> {
  const { status, stdout, stderr } = await call(...args, "-o", "json");
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Shape; // what the test expects of it
}

/** Publishes an organization whose call is cut, and waits for the end of it. */
async function cut(id: string): Promise<{ readonly published: Finished; readonly effect: EffectInfo }> {
  service.mood = "hangup";
  const published = await call(
    "publish",
    "organization.create",
    "--aggregate-id",
    id,
    "--spec",
    '{"name":"Acme"}',
    "--watch",
  );
  service.mood = "prompt";
  const held = await json<readonly EffectInfo[]>("effect", "list", "--state", "held");
  const effect = held.find(({ aggregateId }) => aggregateId === id);
  if (effect === undefined) throw new Error(`no effect of ${id} is held: ${published.stderr}`);
  return { published, effect };
}

describe("an outside call that was cut", () => {
  it("ends --watch with status 1, what nobody knows and the command to look", async () => {
    const { published, effect } = await cut("watched");
    expect(published.status).toBe(1);
    expect(published.stdout).toContain("billing: waiting for transfer");
    expect(published.stderr).toMatch(/error effect_held: .*organization\/watched.*\n.*evtctl effect list/);
    const shown = await call("effect", "show", effect.id);
    expect(shown.stdout).toContain(effect.idempotencyKey);
    const described = await call("describe", "organization/watched");
    expect(described.stdout).toMatch(/OutcomeUnknown=True.*\n(.*\n)*Effects:\n {2}transfer {2}unknown/);
    const traced = await call("trace", "organization/watched");
    expect(traced.stdout).toMatch(
      /organization\.effect-asked {2}internal by ask:transfer.*\n[│ ]*└─ organization\.effect-unknown/u,
    );
  });

  it("is resolved by hand; a result that the worker could not give is refused with status 3", async () => {
    const { effect } = await cut("resolved");
    const wrong = await call("effect", "resolve", effect.id, "--result", '{"id":5}');
    expect([wrong.status, wrong.stderr]).toEqual([3, expect.stringContaining("schema_violation")]);
    const before = service.calls.length;
    const resolved = await call("effect", "resolve", effect.id, "--result", '{"id":"tr_81"}');
    expect([resolved.status, resolved.stdout]).toEqual([0, `effect ${effect.id} is resolved\n`]);
    await expect
      .poll(async () => (await json<ResourceView>("get", "organization/resolved")).phase, { timeout: 10_000 })
      .toBe("Ready");
    expect(service.calls).toHaveLength(before);
    const again = await call("effect", "retry", effect.id);
    expect([again.status, again.stderr]).toEqual([1, expect.stringContaining("not_found")]);
  });

  it("is resolved as failed, and called again when somebody says so", async () => {
    const failed = (await cut("failed")).effect;
    await call("effect", "resolve", failed.id, "--failed", "never_came", "--message", "Asked the bank.");
    const conditions = async (): Promise<string> =>
      JSON.stringify((await json<ResourceView>("get", "organization/failed")).conditions);
    await expect.poll(conditions, { timeout: 10_000 }).toContain("Asked the bank.");

    const retried = (await cut("retried")).effect;
    expect((await call("effect", "retry", retried.id)).stdout).toBe(`effect ${retried.id} is called again\n`);
    await expect
      .poll(async () => (await json<ResourceView>("get", "organization/retried")).phase, { timeout: 10_000 })
      .toBe("Ready");
    expect(service.calls.filter((key) => key === retried.idempotencyKey)).toHaveLength(2);
  });

  it.each([
    ["neither result nor failure", []],
    ["both", ["--result", "{}", "--failed", "x"]],
    ["a message without a failure", ["--result", "{}", "--message", "x"]],
  ])("is not resolved with %s: status 2", async (_what, flags) => {
    const { status, stderr } = await call("effect", "resolve", "817fe011-94b5-54fd-8813-d12fb6523ead", ...flags);
    expect([status, stderr]).toEqual([2, expect.stringContaining("error usage")]);
  });
});
