/** `evtctl openapi` and `evtctl asyncapi`: the documents of a configuration, without database, key or server. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildCommand, evtctl } from "./support/evtctl-process.js";

let folder = "";
beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-reference-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("evtctl prints both documents of a configuration where there is nothing else", async () => {
  const openApi = await evtctl(["openapi"], { cwd: folder });
  expect([openApi.status, openApi.stderr]).toEqual([0, ""]);
  const { openapi, components } = JSON.parse(openApi.stdout) as { openapi: string; components: { schemas: object } };
  expect(openapi).toBe("3.1.1");
  // Without a configuration the organizations example is meant.
  expect(components.schemas).toHaveProperty(["Spec.organization.create.1", "properties", "plan"]);
  const asyncApi = await evtctl(["asyncapi", "-o", "yaml"], { cwd: folder });
  expect([asyncApi.status, asyncApi.stderr]).toEqual([0, ""]);
  expect(asyncApi.stdout).toMatch(/^asyncapi: "?3\.0\.0"?\n/);
  expect(asyncApi.stdout).toContain("organization.ready");
});

test("evtctl says what is wrong with a configuration that is none", async () => {
  const missing = await evtctl(["openapi", "--config", "nowhere.config.ts"], { cwd: folder });
  expect([missing.status, missing.stdout]).toEqual([2, ""]);
  expect(missing.stderr).toMatch(/config_invalid/);
});
