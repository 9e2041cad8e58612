/**
 * Builds dist/ from src/: `node scripts/build.mjs` type-checks, `--if-stale` only translates, and only what changed.
 * The new build replaces the old one by a rename, so that commands started at the same time never see half of it.
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, "dist");
const stamp = join(dist, ".stamp");
const inputs = ["src", "package.json", "tsconfig.json", "tsconfig.build.json"].map((name) => join(root, name));
const programExtensions = new Set([".ts", ".mjs", ".md"]);

/** Builds unless dist/ is newer than every source. Exits the process with the compiler's status when that fails. */
export function buildIfStale() {
  const newest = Math.max(...inputs.map(newestMs));
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= newest) return;
  build({ flags: ["--noCheck", "--isolatedDeclarations", "false"], newest });
}

function build({ flags, newest }) {
  const fresh = `${dist}-${process.pid}`;
  const tsc = join(root, "node_modules/.bin/tsc");
  const args = ["-p", join(root, "tsconfig.build.json"), "--outDir", fresh, ...flags];
  const { status } = spawnSync(tsc, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    process.stderr.write("The build failed: the errors are above; dist/ is as it was.\n");
    process.exit(status ?? 1);
  }
  cpSync(join(root, "src"), fresh, { recursive: true, filter: isAsset });
  copyReferencePage(join(fresh, "edge/reference-page"));
  const command = join(fresh, "cli/main.js");
  if (existsSync(command)) chmodSync(command, 0o755);
  writeFileSync(join(fresh, ".stamp"), "");
  utimesSync(join(fresh, ".stamp"), newest / 1000, newest / 1000);
  replaceDist(fresh);
}

/** The renderer of the reference page, with what its license asks for, becomes part of the package: its users install nothing for it. */
function copyReferencePage(folder) {
  const renderer = join(root, "node_modules/swagger-ui-dist");
  for (const name of [
    "swagger-ui-bundle.js",
    "swagger-ui-bundle.js.LICENSE.txt",
    "swagger-ui.css",
    "LICENSE",
    "NOTICE",
  ])
    cpSync(join(renderer, name), join(folder, name));
}

/** Another process may do the same at the same moment: whoever comes last wins, both builds are good. */
function replaceDist(fresh) {
  const old = `${fresh}-old`;
  for (let attempt = 0; ; attempt += 1) {
    try {
      if (existsSync(dist)) renameSync(dist, old);
      renameSync(fresh, dist);
      break;
    } catch (error) {
      if (attempt === 20) throw error;
    }
  }
  rmSync(old, { recursive: true, force: true });
}

/** SQL files and the like go along; folders only hold them. */
function isAsset(path) {
  return statSync(path).isDirectory() || !programExtensions.has(extname(path));
}

function newestMs(path) {
  const own = statSync(path);
  if (!own.isDirectory()) return own.mtimeMs;
  return Math.max(own.mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (process.argv.includes("--if-stale")) buildIfStale();
  else build({ flags: [], newest: Math.max(...inputs.map(newestMs)) });
}
