/** Policies from the terminal: tried, applied, looked back at, brought back. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient } from "../src/client/index.js";
import { type EdgeFixture, type FixtureTenant, startEdge } from "./support/edge-fixture.js";
import { buildCommand, evtctl, type Finished } from "./support/evtctl-process.js";

let folder = "";
let edge: EdgeFixture;
let own: FixtureTenant;
let environment: Readonly<Record<string, string>> = {};

const noNotes = `@id("no-notes")
forbid (principal, action == Eventplane::Action::"PublishIntent", resource)
when { resource has type && resource.type == "note.create" };
`;

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-policy-"));
  edge = await startEdge();
  own = await edge.tenant("acme");
  environment = { EVENTPLANE_URL: edge.url, EVENTPLANE_API_KEY: edge.adminKey, EVENTPLANE_TENANT: "acme" };
  await writeFile(join(folder, "acme.cedar"), noNotes);
  await writeFile(
    join(folder, "wrong.cedar"),
    `${noNotes}\n@id("two")\npermit (principal) when { principal.grants };\n`,
  );
});
afterAll(async () => {
  await edge.close();
  await rm(folder, { recursive: true, force: true });
});

const policy = (...args: readonly string[]): Promise<Finished> => evtctl(["policy", ...args], { environment });

describe("evtctl policy", () => {
  it("tries a file on the log, applies it, shows the versions and brings one back", async () => {
    const client = createClient({ baseUrl: edge.url, apiKey: own.key, tenant: "acme" });
    const { id } = await client.publish({ type: "note.create", spec: {} });
    const file = join(folder, "acme.cedar");
    const tried = await policy("test", file);
    expect(tried.stdout).toMatch(
      /allow → deny +service\/\S+ +publisher,\S+ +PublishIntent +type:note\.create +tenant\/no-notes +1/,
    );
    expect([tried.status, tried.stderr]).toEqual([0, "1 of 1 different rulings in the latest 1 events would change\n"]);
    expect((await policy("apply", file)).stdout).toMatch(/^version 1 is in force/);
    const explained = await evtctl(["explain", id], { environment });
    expect(explained.stdout).toMatch(
      /^note\.create .*\n +ruling .*\n +asked +service \S+ \(publisher, reader, subscriber\)/,
    );
    expect(explained.stdout).toMatch(/decision +allow by publishers-publish\n\npublishers-publish\n +permit \(/);
    const platformKey = await evtctl(["explain", id, "--tenant", "platform"], { environment });
    expect([platformKey.status, platformKey.stderr]).toEqual([1, expect.stringMatching(/^error not_found: /)]);
    await expect(client.publish({ type: "note.create", spec: {} })).rejects.toMatchObject({ code: "forbidden" });
    await writeFile(join(folder, "none.cedar"), "// everything as the grants say\n");
    expect((await policy("apply", join(folder, "none.cedar"), "--follows", "1")).stdout).toMatch(/^version 2 /);
    const stale = await policy("apply", file, "--follows", "1");
    expect([stale.status, stale.stderr]).toEqual([4, expect.stringMatching(/^error wrong_expected_generation: /)]);
    expect((await policy("rollback", "1")).stdout).toMatch(/^version 3 /);
    expect((await policy("show")).stdout).toBe(`${noNotes}\n`);
    expect((await policy("show", "--at", "2")).stdout).toContain("everything as the grants say");
    const versions = (await policy("history")).stdout.split("\n").map((line) => line.split(/ +/).slice(0, 1).join());
    expect(versions).toEqual(["VERSION", "3", "2", "1", ""]);
  });

  it("says what is wrong with a file as compilers do, and ends with status 3", async () => {
    const file = join(folder, "wrong.cedar");
    const { status, stderr } = await policy("apply", file);
    expect(status).toBe(3);
    expect(stderr).toMatch(/wrong\.cedar:6:\d+ two: /);
    expect(stderr).toMatch(/^error policy_invalid: Line 6:/m);
    const missing = await policy("test", join(folder, "missing.cedar"));
    expect([missing.status, missing.stderr]).toEqual([2, expect.stringMatching(/^error usage: .*cannot be read/)]);
  });
});
