/** examples/github as GitHub would use it: 329 signed deliveries to a plane of its own, then all of them again. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deliverAll } from "../examples/github/deliver.js";
import { buildCommand, evtctl, freePort, Served } from "./support/evtctl-process.js";

const config = fileURLToPath(new URL("../examples/github/eventplane.config.ts", import.meta.url));
const secret = "a secret of GitHub for the example";
let folder = "";
let port = 0;
let dev: Served;

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-github-"));
  port = await freePort();
  dev = Served.start(["dev", "--data-dir", join(folder, "data"), "--config", config], port, {
    cwd: folder,
    environment: { GITHUB_WEBHOOK_SECRET_DEV: secret },
  });
  await dev.ready();
  await dev.says("Eventplane is ready");
});
afterAll(async () => {
  await dev?.end("SIGTERM");
  await rm(folder, { recursive: true, force: true });
});

test("each of the 324 different ones is a fact once, the log verifies, and without the secret all are refused", async () => {
  const url = `http://127.0.0.1:${port}/v1/tenants/dev/sources/github`;
  expect(await deliverAll({ url, secret })).toEqual({ 201: 324, 200: 5 });
  expect(await deliverAll({ url, secret })).toEqual({ 200: 329 });
  expect(await deliverAll({ url, secret: `${secret}!` })).toEqual({ 401: 329 });
  const verified = await evtctl(["verify", "--data-dir", join(folder, "data")]);
  expect(verified.status).toBe(0);
  const read = await evtctl([
    "read",
    "--kind",
    "fact",
    "--type",
    "repository.record-delivery",
    "--limit",
    "1000",
    "-o",
    "json",
    "--data-dir",
    join(folder, "data"),
  ]);
  const sources = read.stdout
    .split("\n")
    .filter((line) => line.includes('"source":"github"') || line.includes('"source": "github"'));
  expect(sources).toHaveLength(324);
});
