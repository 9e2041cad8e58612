/** Schemas from the terminal: checked, registered, shown, and written as TypeScript. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type EdgeFixture, startEdge } from "./support/edge-fixture.js";
import { buildCommand, evtctl, type Finished } from "./support/evtctl-process.js";

let folder = "";
let edge: EdgeFixture;
let environment: Readonly<Record<string, string>> = {};

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-schema-"));
  edge = await startEdge();
  const { key } = await edge.tenant("acme", ["admin", "reader", "publisher"]);
  environment = { EVENTPLANE_URL: edge.url, EVENTPLANE_API_KEY: key, EVENTPLANE_TENANT: "acme" };
});
afterAll(async () => {
  await edge.close();
  await rm(folder, { recursive: true, force: true });
});

const schema = (...args: readonly string[]): Promise<Finished> => evtctl(["schema", ...args], { environment });
const fileOf = async (name: string, content: object): Promise<string> => {
  const file = join(folder, name);
  await writeFile(file, JSON.stringify(content));
  return file;
};

it("checks and registers versions, says every reason, and writes TypeScript", async () => {
  const total = { type: "object", properties: { total: { type: "integer" } } };
  const first = await fileOf("first.json", total);
  expect((await schema("check", "x-order.placed", first)).stdout).toBe(
    "x-order.placed could be version 1 (backward)\n",
  );
  expect((await schema("register", "x-order.placed", first)).stdout).toMatch(/^x-order\.placed version 1 is in force/);
  const narrow = await fileOf("narrow.json", { ...total, required: ["total"] });
  const checked = await schema("check", "x-order.placed", narrow);
  expect([checked.status, checked.stdout]).toEqual([0, "x-order.placed may not be version 2 (backward)\n"]);
  const refused = await schema("register", "x-order.placed", narrow);
  expect(refused.status).toBe(3);
  expect(refused.stderr).toContain("version 1, backward: /required requires total, which may be missing");
  expect(refused.stderr).toContain("error schema_incompatible");
  const hostile = await schema(
    "register",
    "x-order.placed",
    await fileOf("hostile.json", { ...total, not: { $ref: "http://x/" } }),
  );
  expect(hostile.stderr).toContain("hostile.json: /not/$ref: must begin with #/");
  expect((await schema("register", "x-order.placed", narrow, "--compatibility", "none")).stdout).toMatch(/version 2/);
  expect((await schema("show", "x-order.placed", "-o", "json")).stdout).toContain('"schemaVersion": 2');
  expect((await schema("list")).stdout).toMatch(/x-order\.placed +2 +updates +20\S+ +total/);
  const out = join(folder, "specs.ts");
  expect((await schema("generate", "x-order.placed", "--out", out)).status).toBe(0);
  expect(await readFile(out, "utf8")).toContain("export type XOrderPlaced = {\n  readonly total: number;\n}");
  expect((await schema("generate", "x-none.a")).status).toBe(1);
});
