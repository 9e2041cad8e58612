/** scripts/nats-server.mjs: what it takes, and that it fails where there is none. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const script = fileURLToPath(new URL("../../scripts/nats-server.mjs", import.meta.url));
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "eventplane-nats-script-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** With a nats-server of this version as the only program that it can find. */
function runWith(version: string): {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
} {
  const server = join(folder, "nats-server");
  writeFileSync(server, `#!/bin/sh\necho 'nats-server: v${version}'\n`);
  chmodSync(server, 0o755);
  const env = { PATH: folder, XDG_CACHE_HOME: join(folder, "cache") };
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { env, encoding: "utf8" });
  return { status, stdout, stderr };
}

describe("scripts/nats-server.mjs", () => {
  it.each(["2.12.0", "2.15.1", "3.0.0"])("takes %s from PATH", (version) => {
    expect(runWith(version)).toEqual({ status: 0, stdout: `${join(folder, "nats-server")}\n`, stderr: "" });
  });

  it.each(["2.9.10", "2.11.9", "1.4.0"])("passes %s over, and fails where it cannot bring another one", (version) => {
    const { status, stdout, stderr } = runWith(version);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("nats-server 2.12 or newer is missing and could not be fetched");
  });
});
