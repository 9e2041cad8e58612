/**
 * Type-checks the documents' code against the built package: every block that begins with "```ts check" in the *.md
 * files of the folder given (by default the repository: its root and docs/). Each block becomes a file whose lines have
 * the numbers they have in the document, so the compiler's complaints point into it. A block that begins with
 * "```ts check continued" belongs to the file of the block before it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const root = resolve(process.argv[2] ?? home);
const work = join(home, ".cache", `docs-${process.pid}`);

const blocks = documents().flatMap(blocksOf);
if (blocks.length === 0) {
  process.stdout.write("docs: 0 blocks\n");
  process.exit(0);
}
const complaints = compile();
process.stdout.write(complaints);
process.stdout.write(`docs: ${blocks.length} blocks, ${complaints === "" ? "all compile" : "with errors"}\n`);
if (complaints !== "") process.exit(1);

function documents() {
  const top = readdirSync(root).map(String);
  const below = existsSync(join(root, "docs")) ? readdirSync(join(root, "docs"), { recursive: true }) : [];
  return [...top, ...below.map((name) => join("docs", String(name)))].filter((name) => name.endsWith(".md"));
}

function blocksOf(document) {
  const lines = readFileSync(join(root, document), "utf8").split("\n");
  const found = [];
  let open;
  for (const [index, line] of lines.entries()) {
    const isOpening = open === undefined && /^```ts check( continued)?\s*$/u.test(line);
    if (isOpening && line.includes("continued") && found.length === 0)
      throw new Error(`${document}:${index + 1} continues no block`);
    if (isOpening) {
      open = index + 1;
      if (!line.includes("continued")) found.push({ document, text: "" });
    } else if (open !== undefined && /^```\s*$/u.test(line)) {
      const block = found.at(-1);
      block.text += "\n".repeat(open - block.text.split("\n").length + 1) + lines.slice(open, index).join("\n");
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`${document}:${open} opens a code block that never ends`);
  return found;
}

/** @returns the compiler's complaints with the document's own path and line; empty when there are none */
function compile() {
  mkdirSync(work, { recursive: true });
  try {
    const names = blocks.map(({ document, text }, index) => {
      const name = `${document.replaceAll("/", "__")}.${index}.ts`;
      writeFileSync(join(work, name), `${text}\nexport {};\n`);
      return name;
    });
    const compilerOptions = { rootDir: home, noUnusedLocals: false, declaration: false, isolatedDeclarations: false };
    const project = { extends: join(home, "tsconfig.json"), compilerOptions, files: names, include: [] };
    writeFileSync(join(work, "tsconfig.json"), JSON.stringify(project));
    const args = ["-p", join(work, "tsconfig.json"), "--pretty", "false"];
    const { status, stdout } = spawnSync(join(home, "node_modules/.bin/tsc"), args, { cwd: work, encoding: "utf8" });
    if (status === 0) return "";
    return stdout.replace(/^(\S+?)\.md\.\d+\.ts\(/gmu, (_, name) => `${name.replaceAll("__", "/")}.md(`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
