/** Installs the peers of the benches, once: they cannot share our package, since their peer dependencies conflict with ours. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Runs `npm ci` in bench/peers unless that is done. */
export function preparePeers(): void {
  const folder = fileURLToPath(new URL("../peers/", import.meta.url));
  if (existsSync(`${folder}node_modules/.package-lock.json`)) return;
  process.stderr.write("Installing the peers of the benches …\n");
  const { status } = spawnSync("npm", ["ci"], { cwd: folder, stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error("npm ci in bench/peers failed: the errors are above");
}
