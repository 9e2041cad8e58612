/** evtctl verify against a running plane: a whole log, another root key, another tenant's log, changes by a superuser. */
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ClientContext } from "../src/plane/index.js";
import { buildCommand, evtctl, type Finished, freePort, Served } from "./support/evtctl-process.js";
import { restore, tamper } from "./support/tamper.js";

let folder = "";
let dataDir = "";
let dev: Served;
let context: ClientContext;

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-verify-"));
  dataDir = join(folder, "data");
  dev = Served.start(["dev", "--data-dir", dataDir], await freePort(), { cwd: folder });
  await dev.ready();
  await dev.says("Eventplane is ready");
  context = JSON.parse(await readFile(join(dataDir, "context.json"), "utf8"));
  const spec = '{"name":"Acme","plan":"team","region":"eu"}';
  const published = await call("publish", "organization.create", "--aggregate-id", "acme", "--spec", spec, "--watch");
  if (published.status !== 0) throw new Error(published.stderr);
});

afterAll(async () => {
  await dev?.end("SIGTERM");
  await rm(folder, { recursive: true, force: true });
});

const call = (...args: readonly string[]): Promise<Finished> => evtctl(["--data-dir", dataDir, ...args]);

describe("verify", () => {
  it("holds over the whole log and prints how much that was", async () => {
    const { status, stdout } = await call("verify");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^chain 1…(\d+) holds, \1 proofs hold.*\nof tenant [0-9a-f-]{36}\n$/);
  });

  it("refuses another tenant's log in the place of the one that was asked for", async () => {
    const { tenantId }: { tenantId: string } = JSON.parse((await call("verify", "-o", "json")).stdout);
    const asked = "01900000-0000-7000-8000-000000000001";
    // A plane that answers for every tenant with the log of one.
    const liar = createServer((request, response) => {
      const path = (request.url ?? "").replace(asked, tenantId);
      void fetch(`${context.url}${path}`, { headers: { authorization: request.headers.authorization ?? "" } }).then(
        async (answer) =>
          response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text()),
      );
    }).listen(0, "127.0.0.1");
    await once(liar, "listening");
    const environment = {
      EVENTPLANE_URL: `http://127.0.0.1:${(liar.address() as AddressInfo).port}`,
      EVENTPLANE_API_KEY: context.apiKey,
    };
    const verify = (tenant: string): Promise<Finished> =>
      evtctl(["verify", "--tenant", tenant, "--root-key", context.rootPublicKey], { cwd: folder, environment });
    const refused = await verify(asked);
    expect(refused.status).toBe(6);
    expect(refused.stderr).toContain(`for tenant ${asked} with the log of tenant ${tenantId}`);
    expect((await verify(tenantId)).status).toBe(0);
    liar.close();
  });

  it("refuses another root key", async () => {
    const { status, stderr } = await call("verify", "--root-key", Buffer.alloc(32, 1).toString("base64url"));
    expect(status).toBe(6);
    expect(stderr).toContain("error verification_failed");
  });

  it.each([
    ["one character", "spec = replace(spec::text, 'Acme', 'Acne')::json"],
    ["white space only", "spec = (spec::text || ' ')::json"],
    ["who caused it", "caused_by = replace(caused_by::text, 'service', 'forgery')::json"],
  ])("names tenant and position when a superuser changes %s", async (_what, change) => {
    const place = "where aggregate_id = 'acme' and version = 1";
    const { before, position, tenantId } = await tamper(dataDir, change, place);
    const { status, stderr } = await call("verify");
    expect(status).toBe(6);
    expect(stderr).toContain("error verification_failed");
    expect(stderr).toContain(`position ${position} of tenant ${tenantId}`);
    await restore(dataDir, before, place);
    expect((await call("verify")).status).toBe(0);
  });
});
