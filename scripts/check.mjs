/** `npm run check`: every check that needs no test run. `npm run check -- lint types` runs only those. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const node = process.execPath;

/** name → commands; `build` comes first because examples, docs and the package are checked against the built package. */
const checks = {
  build: [[node, "scripts/build.mjs"]],
  format: [["biome", "ci", ".", ...(process.env.NO_COLOR === undefined ? [] : ["--colors=off"])]],
  lint: [["oxlint", "--type-aware", "--deny-warnings", "--report-unused-disable-directives-severity=error"]],
  types: [
    ["tsc", "-p", "tsconfig.json"],
    ["tsc", "-p", "tsconfig.examples.json"],
    ["tsc", "-p", "examples/live-page/tsconfig.json"],
  ],
  boundaries: [[node, "scripts/check-boundaries.mjs"]],
  mutations: [[node, "scripts/check-mutations.mjs"]],
  unused: [["knip", "--no-progress"]],
  package: [["publint", "--strict"]],
  docs: [[node, "scripts/check-docs.mjs"]],
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in checks));
if (unknown.length > 0) {
  process.stderr.write(`Unknown check: ${unknown.join(", ")}. There are: ${Object.keys(checks).join(", ")}.\n`);
  process.exit(2);
}

const failed = [];
for (const [name, commands] of Object.entries(checks)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const start = performance.now();
  const good = commands.every(([command, ...args]) => run(command, args));
  process.stdout.write(`${good ? "ok  " : "FAIL"} ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)\n`);
  if (!good) failed.push(name);
}
if (failed.length > 0) {
  process.stdout.write(`Failed: ${failed.join(", ")}. Run one alone with \`npm run check -- ${failed[0]}\`.\n`);
  process.exit(1);
}

function run(command, args) {
  const local = join(root, "node_modules/.bin", command);
  const { status } = spawnSync(existsSync(local) ? local : command, args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  return status === 0;
}
