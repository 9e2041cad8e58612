/** Installs the peers of the benches, once: they cannot share our package, since their peer dependencies conflict with ours. */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Runs `npm ci` in bench/peers unless that is done for the lockfile as it is. */
export function preparePeers(): void {
  const folder = fileURLToPath(new URL("../peers/", import.meta.url));
  const installed = `${folder}node_modules/.package-lock.json`;
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${folder}package-lock.json`).mtimeMs) return;
  process.stderr.write("Installing the peers of the benches …\n");
  const { status } = spawnSync("npm", ["ci"], { cwd: folder, stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error("npm ci in bench/peers failed: the errors are above");
}
