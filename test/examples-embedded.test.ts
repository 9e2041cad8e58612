/** examples/embedded as a reader runs it: real processes with an embedded PostgreSQL, over HTTP. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { repository } from "./support/embedded-fixture.js";
import { buildCommand, isAlive, postgresPid, until } from "./support/evtctl-process.js";

let folder: string;
let server: ChildProcess | undefined;

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-example-"));
}, 90_000);
afterAll(async () => {
  server?.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function start(file: string): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const { PATH = "", HOME = "" } = process.env;
  const path = join(repository, "examples/embedded", file);
  const jiti = join(repository, "node_modules/jiti/lib/jiti-cli.mjs"); // what npx jiti runs
  const child = spawn(process.execPath, [jiti, path], { cwd: folder, env: { PATH, HOME, PORT: "0" } });
  server = child;
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const listening = /Listening on (http:\/\/\S+)/;
  await until(
    async () => listening.test(said),
    60_000,
    () => said,
  );
  return {
    url: listening.exec(said)?.[1] ?? "",
    stop: async () => {
      const database = postgresPid(join(folder, ".eventplane"));
      child.kill("SIGTERM");
      expect([await ended, said.split("\n").filter((line) => line.includes('"error"'))]).toEqual([0, []]);
      expect(isAlive(database)).toBe(false);
    },
  };
}

describe.each(["http-server.ts", "fastify-server.ts"])("examples/embedded/%s", (file) => {
  test("creates teams for whoever is logged in, waits until they are settled, and ends in order", async () => {
    const { url, stop } = await start(file);
    const post = async (session: string, body: unknown, key?: string): Promise<{ status: number; body: Json }> => {
      const headers = { "content-type": "application/json", "x-session": session };
      const init = {
        method: "POST",
        headers: { ...headers, ...(key === undefined ? {} : { "idempotency-key": key }) },
      };
      const response = await fetch(`${url}/teams`, { ...init, body: JSON.stringify(body) });
      return { status: response.status, body: (await response.json()) as Json };
    };
    const ann = "session-of-ann";
    const key = `${file}-1`;
    const created = await post(ann, { name: "Core", seats: 5 }, key);
    expect(created).toMatchObject({ status: 201, body: { phase: "Ready", name: "Core", granted: 5 } });
    expect((await post(ann, { name: "Core", seats: 5 }, key)).body.id).toBe(created.body.id);
    expect(await post(ann, { name: "Core", seats: 500 })).toMatchObject({ status: 409, body: { phase: "Failed" } });
    expect(await post(ann, { name: "Core" })).toMatchObject({ status: 422, body: { code: "schema_violation" } });
    expect(await post("nobody", { name: "Core", seats: 5 })).toMatchObject({ status: 401 });

    const read = (session: string): Promise<number> =>
      fetch(`${url}/teams/${created.body.id}`, { headers: { "x-session": session } }).then(({ status }) => status);
    expect([await read(ann), await read("session-of-bob")]).toEqual([200, 404]);
    await stop();
  }, 120_000);
});

interface Json {
  readonly id?: string;
}
