/**
 * Who may import whom (.dependency-cruiser.mjs), over `src`, `test`, `examples` and `bench` of the folder given, by
 * default this repository. A cruiser that cannot parse TypeScript sees no module and finds no fault: so every source
 * file must be among the modules it saw.
 */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { cruise } from "dependency-cruiser";

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const root = resolve(process.argv[2] ?? home);
const modulesMin = 1;

const { default: config } = await import(join(home, ".dependency-cruiser.mjs"));
const folders = ["src", "test", "examples", "bench"].filter((name) => existsSync(join(root, name)));
const files = folders.flatMap((name) => sources(join(root, name)));
const { options, ...ruleSet } = config;
const { output } = await cruise(folders, { ...options, baseDir: root, ruleSet, validate: true });
const seen = new Set(output.modules.map((module) => module.source));
const unseen = files.filter((file) => !seen.has(file));

// A compiled file beside its source wins over the source in the test run, and goes stale without a word.
const strays = [...seen].filter((file) => file.endsWith(".js") && existsSync(join(root, file.replace(/js$/u, "ts"))));

for (const { rule, from, to } of output.summary.violations) {
  process.stdout.write(`${from} → ${to}\n  breaks ${rule.name}${commentOf(rule.name)}\n`);
}
for (const file of unseen) process.stdout.write(`${file} was not cruised\n`);
for (const file of strays) process.stdout.write(`${file} is compiled output beside its source: remove it\n`);
process.stdout.write(`boundaries: ${seen.size} modules, ${output.summary.violations.length} violations\n`);
if (output.summary.violations.length > 0 || unseen.length > 0 || strays.length > 0 || files.length < modulesMin)
  process.exit(1);

function commentOf(name) {
  const comment = config.forbidden.find((rule) => rule.name === name)?.comment;
  return comment === undefined ? "" : `: ${comment}`;
}

function sources(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts") && !entry.name.endsWith(".d.ts"))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((file) => !file.includes("node_modules/"));
}
