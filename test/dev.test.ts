/** `evtctl dev` as a process: start, refusals, kill -9 of everything, orderly end. */
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildCommand, evtctl, freePort, isAlive, postgresPid, Served, until } from "./support/evtctl-process.js";

const coldMsMax = 5_000;
const warmMsMax = 1_500;
/** The machine of a test run does other things too: the claim is measured by the bench, here only its order of magnitude. */
const patience = 6;
const nobody = 65_534;

let folder = "";
let dataDir = "";
let port = 0;
let dev: Served;

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-dev-"));
  await chmod(folder, 0o755);
  dataDir = join(folder, "data");
  port = await freePort();
});

afterAll(async () => {
  await dev?.end("SIGTERM");
  await rm(folder, { recursive: true, force: true });
});

async function intent(id: string, name: string): Promise<Response> {
  const { url, tenant, apiKey } = JSON.parse(await readFile(join(dataDir, "context.json"), "utf8")) as Record<
    string,
    string
  >;
  return fetch(`${url}/v1/tenants/${tenant}/intents`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ id, type: "organization.create", spec: { name, plan: "team", region: "eu" } }),
  });
}

const receiptIds = ["0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a01", "0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a02"];
const answers = new Map<string, unknown>();

describe("evtctl dev", () => {
  it("serves within seconds on an empty folder and says what to try next", async () => {
    dev = Served.start(["dev", "--data-dir", dataDir], port);
    expect(await dev.ready()).toBeLessThan(coldMsMax * patience);
    await dev.says("verify --data-dir");
    expect(dev.output).toContain("publish organization.create --spec");
    expect(dev.output).toContain("is not offline");
  });

  it("writes the admin key and the context for their owner only", async () => {
    for (const file of ["admin.key", "context.json", "keys/root.key", "keys/edge.key", "database.json"]) {
      const { mode } = await stat(join(dataDir, file));
      expect([file, mode & 0o777]).toEqual([file, 0o600]);
    }
    const context = JSON.parse(await readFile(join(dataDir, "context.json"), "utf8"));
    expect(context).toMatchObject({ tenant: "dev", url: dev.url });
  });

  it("refuses a second plane on the same folder within 2 s and names the folder", async () => {
    const other = await freePort();
    const onOtherPort = await evtctl(["dev", "--data-dir", dataDir, "--port", String(other)]);
    const onSamePort = await evtctl(["dev", "--data-dir", dataDir, "--port", String(port)]);
    for (const { status, stderr, ms } of [onOtherPort, onSamePort]) {
      expect(status).toBe(1);
      expect(stderr).toContain("data_directory_in_use");
      expect(stderr).toContain(dataDir);
      expect(stderr).toContain("--data-dir");
      expect(ms).toBeLessThan(2_000 * patience);
    }
    expect(await dev.ready()).toBeLessThan(2_000);
  });

  it("refuses a busy port before it starts a database", async () => {
    const busy = createServer();
    await new Promise<void>((resolve) => busy.listen(0, "127.0.0.1", resolve));
    const address = busy.address();
    const busyPort = typeof address === "object" && address !== null ? address.port : 0;
    const fresh = join(folder, "fresh");
    const { status, stderr, ms } = await evtctl(["dev", "--data-dir", fresh, "--port", String(busyPort)]);
    await new Promise<void>((resolve) => busy.close(() => resolve()));
    expect(status).toBe(1);
    expect(stderr).toMatch(/port_in_use.*\n.*--port/);
    expect(ms).toBeLessThan(2_000 * patience);
    await expect(stat(join(fresh, "pgdata"))).rejects.toThrow("ENOENT");
  });

  it("refuses a folder that it may not write", async () => {
    const locked = join(folder, "locked");
    await mkdir(locked, { mode: 0o555 });
    const asNobody = process.getuid?.() === 0 ? { uid: nobody } : {};
    const { status, stderr, ms } = await evtctl(["dev", "--data-dir", join(locked, "data"), "--port", "0"], {
      cwd: folder,
      ...asNobody,
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/data_directory_unwritable.*\n.*another folder with --data-dir/);
    expect(ms).toBeLessThan(2_000 * patience);
  });

  it.skipIf(process.platform !== "linux")("refuses a folder where there can be none", async () => {
    const { status, stderr, ms } = await evtctl(["dev", "--data-dir", "/proc/self/a/b", "--port", "0"], {
      cwd: folder,
    });
    expect(status).toBe(1);
    expect(stderr).toContain("data_directory_unwritable");
    expect(ms).toBeLessThan(2_000 * patience);
  });

  it("refuses a configuration that cannot be loaded, with file and line", async () => {
    const config = join(folder, "broken.config.ts");
    await writeFile(config, "const fine: number = 1;\nthrow new Error(`no ${fine}`);\n");
    const { status, stderr } = await evtctl([
      "dev",
      "--data-dir",
      join(folder, "broken"),
      "--port",
      "0",
      "--config",
      config,
    ]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/config_invalid: .*no 1.*broken\.config\.ts:2/);
    expect(isAlive(postgresPidOr(join(folder, "broken")))).toBe(false);
  });

  it("starts again after kill -9 of everything with nothing lost and the same answers", async () => {
    for (const id of receiptIds) {
      const response = await intent(id, "Acme");
      expect(response.status).toBe(201);
      answers.set(id, await response.json());
    }
    const database = postgresPid(dataDir);
    process.kill(database, "SIGKILL");
    await dev.end("SIGKILL");
    dev = Served.start(["dev", "--data-dir", dataDir], port);
    await dev.ready();
    await dev.says("Eventplane is ready");
    for (const id of receiptIds) {
      const again = await intent(id, "Acme");
      expect(again.status).toBe(200);
      expect(again.headers.get("idempotent-replayed")).toBe("true");
      expect(await again.json()).toEqual(answers.get(id));
      expect((await intent(id, "Other")).status).toBe(422);
    }
    const verified = await evtctl(["verify", "--data-dir", dataDir, "-o", "json"]);
    expect(verified.status).toBe(0);
    expect(JSON.parse(verified.stdout)).toMatchObject({ tenant: "dev", holds: true });
  });

  it("ends when its PostgreSQL is killed under it and says that nothing is lost", async () => {
    process.kill(postgresPid(dataDir), "SIGKILL");
    expect(await dev.exited()).toBe(5);
    expect(dev.output).toContain("database_unreachable");
    expect(dev.output).toContain("Nothing acknowledged is lost");
  });

  it("ends in order on a signal within 10 s with status 0 and leaves no process behind, also when two parents pass it on", async () => {
    dev = Served.start(["dev", "--data-dir", dataDir], port);
    expect(await dev.ready()).toBeLessThan(warmMsMax * patience);
    await dev.says("Eventplane is ready");
    const database = postgresPid(dataDir);
    dev.child.kill("SIGINT");
    const { status, ms } = await dev.end("SIGTERM");
    expect(status).toBe(0);
    expect(ms).toBeLessThan(10_000);
    await until(
      async () => !isAlive(database),
      2_000,
      () => `PostgreSQL ${database} lives`,
    );
  });
});

/** A pid that no process has when the folder has no server. */
function postgresPidOr(folderOfData: string): number {
  try {
    return postgresPid(folderOfData);
  } catch {
    return 2 ** 30;
  }
}
