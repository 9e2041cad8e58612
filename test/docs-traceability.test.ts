/** The documents that name tests: every requirement has its row, and every test that a row names exists. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { errorCodes } from "../src/kernel/index.js";
import { settings } from "../src/plane/config.js";

const root = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

function ids(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);
}

const promises = ids("P", 14);
const requirements = [...ids("A", 21), ...ids("B", 15), ...ids("C", 12), ...ids("D", 8)];

/** The first argument of test, it and describe with all of their forms, and the claims that work-contract keeps by name. */
const titleForms = [
  /\b(?:test|it|describe)\b(?:\.\w+)?(?:\((?:[^;]*?)\))?\(\s*(["`])((?:\\.|(?!\1)[^\\])*)\1/gs,
  /^ {2}(")([^"\n]+)": async/gm,
];

function titlesIn(source: string): ReadonlySet<string> {
  return new Set(titleForms.flatMap((form) => [...source.matchAll(form)].map((match) => match[2] ?? "")));
}

/** What is wrong with a table of rows `| id | … |`: ids without a row or with two, rows that prove nothing, tests that are not there. */
function problemsIn(
  document: string,
  wanted: readonly string[],
  sourceOf: (path: string) => string | undefined,
): readonly string[] {
  const rows = document.split("\n").flatMap((line) => {
    const id = /^\| ([A-DP]\d+) \|/.exec(line)?.[1];
    return id === undefined ? [] : [{ id, line }];
  });
  const counted = wanted.flatMap((id) => {
    const count = rows.filter((row) => row.id === id).length;
    return count === 1 ? [] : [`${id} has ${count} rows`];
  });
  const empty = rows
    .filter(({ line }) => !line.includes(" › ") && !line.includes("not yet: "))
    .map(({ id }) => `${id} names neither a test nor what is missing`);
  const named = [...document.matchAll(/`((?:src|test)\/[^`]+?\.ts) › ((?:[^`])+)`/g)].flatMap(
    ([, path = "", title = ""]) => {
      const source = sourceOf(path);
      if (source === undefined) return [`${path} does not exist`];
      return titlesIn(source).has(title) ? [] : [`${path} has no test "${title}"`];
    },
  );
  return [...counted, ...empty, ...named];
}

const sourceOf = (path: string): string | undefined => (existsSync(join(root, path)) ? read(path) : undefined);

describe("the documents that name tests", () => {
  test("docs/guarantees.md has every promise and names tests that exist", () => {
    expect(problemsIn(read("docs/guarantees.md"), promises, sourceOf)).toEqual([]);
  });

  test("docs/traceability.md has every requirement and names tests that exist", () => {
    expect(problemsIn(read("docs/traceability.md"), requirements, sourceOf)).toEqual([]);
  });

  test("each promise has a test under its number", () => {
    const files = readdirSync(join(root, "test")).filter((name) => /^promises-.*\.test\.ts$/.test(name));
    const titles = new Set(files.flatMap((name) => [...titlesIn(read(join("test", name)))]));
    expect(promises.filter((promise) => !titles.has(promise))).toEqual([]);
  });

  test("docs/adr/README.md leads to every decision under its title", () => {
    const files = readdirSync(join(root, "docs/adr")).filter((name) => /^\d{4}-/.test(name));
    const index = read("docs/adr/README.md");
    const missing = files.filter((name) => {
      const [, number, title] = /^# (\d{4}): (.*)\n/.exec(read(join("docs/adr", name))) ?? [];
      return !name.startsWith(`${number}-`) || !index.includes(`- [${number}](${name}) ${title}\n`);
    });
    expect(missing).toEqual([]);
  });

  test("the reference has every setting and every metric", () => {
    const metrics = [...read("src/observe/metrics.ts").matchAll(/name: "(eventplane_\w+)"/g)].map(([, name]) => name);
    expect(metrics.length).toBeGreaterThan(10);
    const pages = read("docs/reference/configuration.md") + read("docs/reference/metrics.md");
    expect([...Object.keys(settings), ...metrics].filter((name) => !pages.includes(`\`${name}\``))).toEqual([]);
  });

  test("every error code is expected by name in some test", () => {
    const files = ["src", "test"].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
    );
    const tests = files
      .filter((name) => /\.test\.ts$|^src.testing.*contract.*\.ts$/.test(name))
      .map(read)
      .join("\n");
    expect(errorCodes.filter((code) => !new RegExp(`\\b${code}\\b`).test(tests))).toEqual([]);
  });

  test("SECURITY.md and CHANGELOG.md say what a reporter needs", () => {
    for (const heading of ["## Supported versions", "## Reporting a vulnerability", "security@"])
      expect(read("SECURITY.md")).toContain(heading);
    expect(read("CHANGELOG.md")).toMatch(/security fixes have a heading/i);
  });

  test("the check finds a missing row, a row twice, an empty row, a missing file and a misspelt test", () => {
    const source =
      'test("adds one", () => {});\ntest.each([[1], [2]])("adds %s", () => {});\nit(\n  "adds two",\n  () => {});\nuntil("adds three", () => {});';
    const good =
      "| A1 | x | `test/a.test.ts › adds one` `test/a.test.ts › adds %s` `test/a.test.ts › adds two` |\n| A2 | x | not yet: bus |";
    const look = (document: string): readonly string[] =>
      problemsIn(document, ["A1", "A2"], (path) => (path === "test/a.test.ts" ? source : undefined));
    expect(look(good)).toEqual([]);
    expect(look(good.replace("| A2 | x | not yet: bus |", ""))).toEqual(["A2 has 0 rows"]);
    expect(look(`${good}\n| A2 | x | not yet: bus |`)).toEqual(["A2 has 2 rows"]);
    expect(look(good.replace("not yet: bus", ""))).toEqual(["A2 names neither a test nor what is missing"]);
    expect(look(good.replace("a.test.ts › adds one", "b.test.ts › adds one"))).toEqual([
      "test/b.test.ts does not exist",
    ]);
    expect(look(good.replace("adds one", "adds three"))).toEqual(['test/a.test.ts has no test "adds three"']);
  });
});
