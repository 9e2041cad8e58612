import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient, type RulingExplanation } from "../src/client/index.js";
import { generateSigningKey } from "../src/event/index.js";
import { explainFromFiles } from "../src/plane/index.js";
import { call, type EdgeFixture, eventually, type FixtureTenant, startEdge } from "./support/edge-fixture.js";
import { buildCommand, evtctl } from "./support/evtctl-process.js";

let edge: EdgeFixture;
let acme: FixtureTenant;
let folder: string;
let rootPublicKey: string;
/** What the running edge says of an intent, of a refusal, and of the ruling of the refusal. */
let explanations: readonly RulingExplanation[];
let files: { readonly log: string; readonly platformLog: string };

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-explain-"));
  edge = await startEdge();
  acme = await edge.tenant("acme", ["publisher", "reader", "admin"]);
  const client = createClient({ baseUrl: edge.url, apiKey: acme.key, tenant: "acme" });
  const published = await client.publish({ type: "note.create", spec: { text: "a\nb" } });
  const text =
    '@id("no-doors")\nforbid (principal, action, resource) when { resource has type && resource.type == "door.create" };';
  await client.admin.policies.apply({ text }, { follows: 0 });
  await client.publish({ type: "door.create", spec: { locked: true } }).catch(() => undefined);
  const refusal = await eventually(
    async () => (await edge.reader.read(acme.id, { filter: { type: "refusal.recorded" } }))[0]?.id,
    "the refusal",
  );
  await client.admin.policies.apply({ text: "" }, { follows: 1 });
  const [one, two] = [await client.admin.policies.explain(published.id), await client.admin.policies.explain(refusal)];
  explanations = [one, two, await client.admin.policies.explain(two.recorded.rulingId)];
  const { admin } = createClient({ baseUrl: edge.url, apiKey: edge.adminKey });
  const auditor = await admin.createKey("platform", { name: "auditor", grants: ["reader"] });
  files = {
    log: await save("acme", acme.key),
    platformLog: await save("platform", auditor.key),
  };
  ({ rootPublicKey } = await client.keysDocument());
});
afterAll(async () => {
  await edge.close();
  await rm(folder, { recursive: true, force: true });
});

/** As the how-to says: one request a log. */
async function save(tenant: string, key: string): Promise<string> {
  const headers = { accept: "application/x-ndjson" };
  const response = await fetch(`${edge.url}/v1/tenants/${tenant}/events?include=proof`, call(key, { headers }));
  if (response.status !== 200) throw new Error(await response.text());
  return write(`${tenant}.ndjson`, await response.text());
}

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

describe("a ruling made again from files", () => {
  test("is what a running edge says, of events, refusals and rulings, with the policies of then", async () => {
    const [published, refusal] = explanations;
    expect(refusal).toMatchObject({ decision: "deny", tenantVersion: 1, decidedBy: [{ id: "tenant/no-doors" }] });
    const ids = [published?.eventId, refusal?.eventId, refusal?.recorded.rulingId];
    for (const [index, id] of ids.entries())
      expect(await explainFromFiles(id ?? "", { ...files, rootPublicKey })).toEqual(explanations[index]);
    await expect(explainFromFiles(acme.keyId, { ...files, rootPublicKey })).rejects.toMatchObject({
      code: "not_found",
    });
  });

  test("of the platform's log needs that log alone", async () => {
    const { platformLog } = files;
    const line = (await readFile(platformLog, "utf8"))
      .split("\n")
      .find((each) => each.includes('"type":"policy.apply"'));
    const { id } = JSON.parse(line ?? "{}") as { id: string }; // a line of the file
    expect(await explainFromFiles(id, { log: platformLog, platformLog, rootPublicKey })).toMatchObject({
      question: { action: "Administer", resource: "area:policies" },
      decision: "allow",
    });
  });

  test("is not made from files that do not hold", async () => {
    const id = explanations[0]?.eventId ?? "";
    const codeWith = (change: object): Promise<unknown> =>
      explainFromFiles(id, { ...files, rootPublicKey, ...change }).then(
        () => "explained",
        (error: { readonly code: string }) => error.code,
      );
    const text = await readFile(files.log, "utf8");
    const lines = text.trimEnd().split("\n");
    expect(await codeWith({ log: await write("cut", `${lines.slice(0, -1).join("\n")}\n`) })).toBe(
      "verification_failed",
    );
    expect(await codeWith({ log: await write("gap", `${lines.slice(1).join("\n")}\n`) })).toBe("verification_failed");
    expect(await codeWith({ log: await write("forged", text.replaceAll("note.create", "note.change")) })).toMatch(
      /^(verification_failed|event_corrupt)$/,
    );
    expect(await codeWith({ log: await write("plain", `${JSON.stringify({ id })}\n`) })).toBe("event_corrupt");
    expect(await codeWith({ log: await write("no-json", "x\n") })).toBe("event_corrupt");
    expect(await codeWith({ log: join(folder, "none") })).toBe("usage");
    expect(await codeWith({ rootPublicKey: generateSigningKey().publicKey })).toBe("key_unknown");
    expect(await codeWith({ platformLog: files.log })).toBe("key_unknown");
  });

  test("says what is missing when the platform's log ends before the policies of then", async () => {
    const text = await readFile(files.platformLog, "utf8");
    const lines = text.trimEnd().split("\n");
    const applied = lines.findIndex((line) => line.includes('"type":"policy.apply"'));
    const short = [...lines.slice(0, applied), JSON.stringify({ end: { position: applied } }), ""].join("\n");
    const explained = await explainFromFiles(explanations[1]?.eventId ?? "", {
      ...files,
      platformLog: await write("short", short),
      rootPublicKey,
    });
    expect(explained["unexplained"]).toBe("The policy set with this hash is not in the platform's log.");
  });

  test("comes from the command line without a plane", async () => {
    const { eventId = "" } = explanations[1] ?? {};
    const args = ["--log", files.log, "--platform-log", files.platformLog, "--root-key", rootPublicKey];
    const explained = await evtctl(["explain", eventId, ...args], { cwd: folder });
    expect([explained.status, explained.stderr]).toEqual([0, ""]);
    expect(explained.stdout).toMatch(/decision +deny by tenant\/no-doors/);
    const half = await evtctl(["explain", eventId, "--log", files.log, "--root-key", rootPublicKey], { cwd: folder });
    expect([half.status, half.stderr.includes("--platform-log")]).toEqual([2, true]);
  });
});
