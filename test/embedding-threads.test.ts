/** A plane that an application opens in itself, with its controllers in threads. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { buildCommand } from "./support/evtctl-process.js";
import { createTestDatabase } from "./support/postgres-server.js";

test("a controller that hangs in a thread holds neither the application nor the others up", {
  timeout: 120_000,
}, async () => {
  buildCommand();
  const [database, folder] = [await createTestDatabase(), await mkdtemp(join(tmpdir(), "eventplane-embedding-"))];
  try {
    const script = fileURLToPath(new URL("./support/embedding-process.mjs", import.meta.url));
    const child = spawn(process.execPath, [script, database.ownerUrl, join(folder, "data"), database.rolePrefix], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
    expect(err).toBe("");
    const { failure, settled, heldMs } = JSON.parse(out) as { failure: string; settled: string; heldMs: number };
    expect({ failure, settled }).toEqual({ failure: "worker reconcile_timeout", settled: "ready" });
    // The controller ran for 2 s and more.
    expect(heldMs).toBeLessThan(1_500);
  } finally {
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  }
});
