import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const imported = /^(?:import|export)\s+(?!type\b)[^;]*?from\s+"([^"]+)";/gm;
/** An import whose names are all types is erased. */
const typesOnly = /^(?:import|export)\s+\{\s*(?:type\s+\w+\s*,?\s*)+\}\s+from/;

/** Every module that running `file` loads; packages and Node's own by name. */
function modulesOf(file: URL, seen: Set<string> = new Set()): Set<string> {
  if (seen.has(file.href)) return seen;
  seen.add(file.href);
  for (const [statement, specifier = ""] of readFileSync(file, "utf8").matchAll(imported)) {
    if (typesOnly.test(statement)) continue;
    if (specifier.startsWith(".")) modulesOf(new URL(specifier.replace(/\.js$/, ".ts"), file), seen);
    else seen.add(specifier);
  }
  return seen;
}

test("the client loads nothing of Node and no package, so that it runs in browsers", () => {
  const modules = [...modulesOf(new URL("./index.ts", import.meta.url))];
  expect(modules.length).toBeGreaterThan(5);
  expect(modules.filter((name) => !name.startsWith("file:"))).toEqual([]);
});

test("the check sees what a room for servers loads", () => {
  expect([...modulesOf(new URL("../edge/credentials.ts", import.meta.url))]).toContain("node:crypto");
});
