/** A data folder with one file damaged: `dev` says which, and what to do, and changes nothing. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildCommand, evtctl, freePort, Served } from "./support/evtctl-process.js";

let folder = "";
let copies = 0;
let port = 0;

beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "eventplane-damage-"));
  port = await freePort();
  const dev = Served.start(["dev", "--data-dir", join(folder, "pristine")], port);
  await dev.ready();
  await dev.says("Eventplane is ready");
  await dev.end();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function damaged(damage: (dataDir: string) => Promise<void>): Promise<string> {
  const dataDir = join(folder, `copy-${++copies}`);
  await promisify(execFile)("cp", ["-a", join(folder, "pristine"), dataDir]);
  await damage(dataDir);
  return dataDir;
}

async function losesTheRoot(path: string): Promise<void> {
  await rm(path);
  await rm(join(dirname(path), "root.pub"));
}

async function wrongPublicRoot(path: string): Promise<void> {
  await rm(join(dirname(path), "root.key"));
  await writeFile(path, "wrong\n");
}

interface Damage {
  readonly what: string;
  readonly file: string;
  readonly damage: (path: string) => Promise<void>;
  readonly code: string;
}

const damages: readonly Damage[] = [
  { what: "an empty", file: "context.json", damage: (path) => writeFile(path, ""), code: "key_file_invalid" },
  { what: "a cut", file: "context.json", damage: (path) => writeFile(path, '{"url":"http'), code: "key_file_invalid" },
  { what: "an empty", file: "admin.key", damage: (path) => writeFile(path, ""), code: "key_file_invalid" },
  { what: "a cut", file: "database.json", damage: (path) => writeFile(path, '{"edge":'), code: "key_file_invalid" },
  { what: "a wrong", file: "keys/edge.key", damage: (path) => writeFile(path, "wrong"), code: "key_file_invalid" },
  { what: "a missing", file: "keys/root.key", damage: losesTheRoot, code: "key_file_invalid" },
  { what: "a wrong", file: "keys/root.pub", damage: wrongPublicRoot, code: "key_file_invalid" },
  { what: "an open", file: "keys/edge.key", damage: (path) => chmod(path, 0o644), code: "key_file_insecure" },
];

describe("dev on a folder with", () => {
  it.each(damages)("$what $file says so by its code and name", async ({ file, damage, code }) => {
    const dataDir = await damaged((copy) => damage(join(copy, file)));
    const isThere = existsSync(join(dataDir, file));
    const { status, stderr } = await evtctl(["dev", "--data-dir", dataDir, "--port", String(port)]);
    expect(status).not.toBe(0);
    const error = stderr.split("\n").find((line) => line.startsWith("error ")) ?? "";
    expect(error).toContain(`error ${code}: `);
    expect(error).toContain(file);
    expect(existsSync(join(dataDir, file))).toBe(isThere);
  });

  it("no admin key and no context makes new ones", async () => {
    const dataDir = await damaged(async (copy) => {
      await rm(join(copy, "admin.key"));
      await rm(join(copy, "context.json"));
    });
    const dev = Served.start(["dev", "--data-dir", dataDir], port);
    await dev.ready();
    await dev.says("Eventplane is ready");
    expect((await evtctl(["tenant", "list", "--data-dir", dataDir, "--url", dev.url])).stdout).toContain("dev");
    expect((await dev.end()).status).toBe(0);
  });
});
