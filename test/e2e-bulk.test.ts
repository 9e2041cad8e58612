/** 10,000 intents from a file, everything killed in the middle, the same file again (the issue's check 6). */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createClient, type EventplaneClient } from "../src/client/index.js";
import { readContext } from "../src/plane/index.js";
import { buildCommand, evtctl, freePort, postgresPid, Served, until } from "./support/evtctl-process.js";

const lines = 10_000;
const config = `import { defineAggregate, defineApp } from "eventplane";
const note = defineAggregate("note", {
  spec: { type: "object", properties: { text: { type: "string" } }, required: ["text"] } as const,
  intents: { create: { creates: true } },
});
export default defineApp({ aggregates: [note], controllers: [] });
`;

let folder = "";
let dataDir = "";
let appFile = "";
let port = 0;
let dev: Served;

const start = async (): Promise<Served> => {
  const served = Served.start(["dev", "--data-dir", dataDir, "--config", appFile], port);
  await served.ready();
  await served.says("Eventplane is ready");
  return served;
};

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-bulk-"));
  dataDir = join(folder, "data");
  appFile = join(folder, "eventplane.config.ts");
  port = await freePort();
  await writeFile(appFile, config);
  dev = await start();
});
afterAll(async () => {
  await dev?.end();
  await rm(folder, { recursive: true, force: true });
});

async function published(client: EventplaneClient): Promise<{ readonly ids: string[]; readonly texts: string[] }> {
  const ids: string[] = [];
  const texts: string[] = [];
  for await (const { id, spec } of client.read({ type: "note.create", limit: 1_000 })) {
    ids.push(id);
    texts.push(String(spec["text"]));
  }
  return { ids, texts };
}

it("is in the log exactly once, line by line", async () => {
  const file = join(folder, "notes.ndjson");
  const text = (n: number): string => `${JSON.stringify({ type: "note.create", spec: { text: `note ${n}` } })}\n`;
  await writeFile(file, Array.from({ length: lines }, (_, n) => text(n)).join(""));
  const { url, apiKey } = readContext(join(dataDir, "context.json"));
  const client = createClient({ baseUrl: url, apiKey, tenant: "dev" });
  const publish = ["publish", "--file", file, "--data-dir", dataDir, "-o", "json"];

  const first = evtctl(publish);
  await until(
    async () => ((await client.readPage({ direction: "backwards", limit: 1 })).events[0]?.position ?? 0) > 1_500,
    30_000,
    () => dev.output,
  );
  process.kill(postgresPid(dataDir), "SIGKILL");
  await dev.end("SIGKILL");
  const interrupted = await first;
  expect(interrupted).toMatchObject({ status: 5, stderr: expect.stringContaining("publish the same file again") });

  dev = await start();
  const before = (await published(client)).ids.length;
  expect(before).toBeGreaterThan(1_000);
  expect(before).toBeLessThan(lines);
  const second = await evtctl(publish);
  expect(second).toMatchObject({ status: 0, stderr: "" });
  expect(JSON.parse(second.stdout)).toMatchObject({ created: lines - before, repeated: before, refused: 0 });

  const { ids, texts } = await published(client);
  expect(new Set(ids).size).toBe(lines);
  expect(ids).toHaveLength(lines);
  expect(new Set(texts)).toEqual(new Set(Array.from({ length: lines }, (_, n) => `note ${n}`)));
}, 120_000);
