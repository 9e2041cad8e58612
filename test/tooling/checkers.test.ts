/** Every checker of `npm run check` finds a planted defect. Each runs once over a tree that has all of them. */
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

interface Outcome {
  readonly status: number;
  readonly output: string;
}
type Files = Readonly<Record<string, string>>;

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function tree(files: Files): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "eventplane-tooling-"));
  folders.push(root);
  for (const [name, text] of Object.entries({ "src/.keep": "", ...files })) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), `${text}\n`);
  }
  return root;
}

function run(program: string, args: readonly string[], cwd: string): Promise<Outcome> {
  return new Promise((done) => {
    execFile(program, args, { cwd }, (error, stdout, stderr) => {
      done({ status: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

async function check(script: string, files: Files): Promise<Outcome> {
  return run(process.execPath, [resolve("scripts", script), await tree(files)], process.cwd());
}

describe("check-boundaries", () => {
  const rooms = {
    "src/kernel/index.ts": 'export { one } from "./one.js";',
    "src/kernel/one.ts": "export const one = 1;",
    "src/store/index.ts": 'export { two } from "./two.js";',
    "src/store/two.ts": 'import { one } from "../kernel/index.js";\nexport const two = one + 1;',
    "src/store/postgres/index.ts": "export const pg = 1;",
  };
  const defects = [
    ["a room above", "src/kernel/a.ts", 'import "../store/index.js";', "room-kernel"],
    ["a type of a room above", "src/kernel/b.ts", 'import type { A } from "../store/index.js";', "room-kernel"],
    ["what lies behind a room's face", "src/store/c.ts", 'import "../kernel/one.js";', "only-through-the-face"],
    ["an adapter from an adapter", "src/store/memory/d.ts", 'import "../postgres/index.js";', "adapters-stay-apart"],
    ["an adapter from a core", "src/store/e.ts", 'import "./postgres/index.js";', "core-knows-no-adapter"],
    ["sockets in a domain room", "src/kernel/f.ts", 'import "node:net";', "domain-does-no-io"],
    ["Node in the client", "src/client/g.ts", 'import "node:fs";', "client-is-fetch-only"],
    ["anything in a room that nobody declared", "src/misc/h.ts", 'import "../kernel/index.js";', "known-room"],
    [
      "another room's inside in a test",
      "src/store/i.test.ts",
      'import "../kernel/one.js";',
      "tests-of-a-room-use-faces",
    ],
    ["the sources in an example", "examples/j.ts", 'import "../src/store/index.js";', "examples-are-users"],
    ["itself in a circle", "src/kernel/k.ts", 'import "./k.js";', "no-cycles"],
  ] as const;
  let outcome: Outcome = { status: 0, output: "" };

  beforeAll(async () => {
    const planted = Object.fromEntries(defects.map(([, path, text]) => [path, text]));
    outcome = await check("check-boundaries.mjs", { ...rooms, ...planted });
  });

  test.each(defects)("refuses an import of %s", (_, path, __, rule) => {
    const violations = outcome.output.split("\n").map((line, index, lines) => `${line}${lines[index + 1] ?? ""}`);
    expect(violations.some((it) => it.startsWith(`${path} →`) && it.includes(`breaks ${rule}`))).toBe(true);
    expect(outcome.status).toBe(1);
  });

  test("passes a tree in which every import keeps the directions", async () => {
    const passed = { status: 0, output: "boundaries: 5 modules, 0 violations\n" };
    expect(await check("check-boundaries.mjs", rooms)).toEqual(passed);
  });

  test("refuses compiled output beside its source", async () => {
    const { status, output } = await check("check-boundaries.mjs", {
      ...rooms,
      "src/kernel/one.js": "export const one = 2;",
    });
    expect(output).toContain("src/kernel/one.js is compiled output beside its source");
    expect(status).toBe(1);
  });

  test("does not pass when it saw nothing", async () => {
    expect((await check("check-boundaries.mjs", {})).status).toBe(1);
  });
});

describe("check-mutations", () => {
  const defects = [
    ["an assignment", "resource.finalizers = marks;"],
    ["an assignment deep inside", 'resource.status["quota"].members = 3;'],
    ["a deletion", "delete resource.finalizers.quota;"],
    ["a count", "resource.status.tries++;"],
    ["new finalizers built from old ones", "const a = { finalizers: { ...resource.finalizers, quota: mark } };"],
    ["a status written over a spread resource", "const b = { ...resource, status: { quota: 3 } };"],
    ["a status beside a lifecycle", 'const c = { lifecycle: "live", status: fresh };'],
    ["a status as text", "const d = { statusText: JSON.stringify(fresh) };"],
  ] as const;
  let outcome: Outcome = { status: 0, output: "" };

  beforeAll(async () => {
    outcome = await check("check-mutations.mjs", { "src/edge/bad.ts": defects.map(([, line]) => line).join("\n") });
  });

  test.each(defects.map(([name], index) => [name, index + 1] as const))("finds %s", (_, line) => {
    expect(outcome.output).toContain(`src/edge/bad.ts:${line} `);
    expect(outcome.status).toBe(1);
  });

  test("passes copies, decoded fields, empty values, what event/mutate made, and statuses of other things", async () => {
    const lines = [
      'import { decide } from "../event/mutate.js";',
      'const a = { statusText: row.status_text, finalizersText: "{}" };',
      "const b = { generation: 1, status: JSON.parse(row.statusText), finalizers: row.finalizers };",
      "const c = { finalizersText: JSON.stringify(decide(row)) };",
      "const problem = { status: 404, title: 'not found' };",
      "reply.status(404);",
      "class Lazy { #status; get status() { return (this.#status ??= JSON.parse(row.statusText)); } }",
    ];
    const mutate = "export const decide = (r) => ({ ...r, finalizers: { ...r.finalizers, a: 1 } });";
    const files = { "src/event/mutate.ts": mutate, "src/store/ok.ts": lines.join("\n") };
    const passed = { status: 0, output: "mutations: 1 files, 0 violations\n" };
    expect(await check("check-mutations.mjs", files)).toEqual(passed);
  });
});

describe("check-docs", () => {
  test("points at the document's own line of a block that does not compile", async () => {
    const { status, output } = await check("check-docs.mjs", {
      "README.md": "# Title\n\n```ts check\nconst fine: number = 1;\n```",
      "docs/how/to.md": "Text\n\n```ts check\nconst one = 1;\nconst bad: string = one;\n```",
    });
    expect(output).toContain("docs/how/to.md(5,7): error TS2322");
    expect(output).not.toContain("README.md(");
    expect(status).toBe(1);
  });

  test("compiles a block that is continued as one, each line under its own number", async () => {
    const readme =
      "```ts check\nconst one = 1;\n```\n\ntext\n\n```ts check continued\nconst two = one + 1;\nconst bad: string = two;\n```";
    const { output } = await check("check-docs.mjs", { "README.md": readme });
    expect(output).toMatch(/^README\.md\(9,7\): error TS2322.*\n.*docs: 1 blocks/s);
    const { output: alone } = await check("check-docs.mjs", { "README.md": "```ts check continued\n```" });
    expect(alone).toContain("README.md:1 continues no block");
  });

  test("passes blocks that compile and leaves unmarked blocks alone", async () => {
    const readme = "```ts check\nconst fine: number = 1;\n```\n\n```ts\nnot even code\n```";
    const passed = { status: 0, output: "docs: 1 blocks, all compile\n" };
    expect(await check("check-docs.mjs", { "README.md": readme })).toEqual(passed);
  });

  test("refuses a block that never ends", async () => {
    const { output } = await check("check-docs.mjs", { "README.md": "```ts check\nconst fine = 1;" });
    expect(output).toContain("README.md:1 opens a code block that never ends");
  });
});

describe("oxlint", () => {
  const defects = [
    ["a promise that nobody awaits", "declare function f(): Promise<void>;\nf();", "no-floating-promises"],
    ["Date", "export const now = (): number => Date.now();", "no-restricted-globals"],
    ["setTimeout", "setTimeout(() => {}, 1);", "no-restricted-globals"],
    ["Math.random", "export const r = (): number => Math.random();", "no-restricted-properties"],
    ["randomUUID", 'import { randomUUID } from "node:crypto";\nexport const r = randomUUID;', "no-restricted-imports"],
    ["the environment", "export const home = process.env.HOME;", "no-restricted-globals"],
    ["any", "export const a = (b: any): number => b;", "no-explicit-any"],
    ["the console", 'console.log("here");', "no-console"],
  ] as const;
  let outcome: Outcome = { status: 0, output: "" };

  beforeAll(async () => {
    const compilerOptions = { strict: true, module: "nodenext", target: "es2023", lib: ["es2023"], types: [] };
    const root = await tree({
      "tsconfig.json": JSON.stringify({ compilerOptions, include: ["src"] }),
      "src/kernel/time.ts": "export const now = (): number => Date.now();",
      ...Object.fromEntries(defects.map(([, text], index) => [`src/store/bad-${index}.ts`, text])),
    });
    await copyFile(resolve(".oxlintrc.json"), join(root, ".oxlintrc.json"));
    const args = ["--type-aware", "--deny-warnings", "--format=unix"];
    outcome = await run(resolve("node_modules/.bin/oxlint"), args, root);
  });

  test.each(defects.map(([name, , rule], index) => [name, `bad-${index}.ts:`, rule] as const))(
    "finds %s in a domain room",
    (_, file, rule) => {
      const lines = outcome.output.split("\n").filter((line) => line.includes(file));
      expect(lines.some((line) => line.includes(rule))).toBe(true);
      expect(outcome.status).toBe(1);
    },
  );

  test("lets kernel/time.ts read the machine's clock", () => {
    expect(outcome.output).not.toContain("time.ts");
  });
});

describe("the last line of a test run", () => {
  test("counts what passed and failed, and names what passed only when it was tried again", async () => {
    const root = await tree({
      "a.test.mjs": `import { expect, test } from "vitest";
let tries = 0;
test("passes", () => {});
test("fails", () => expect(1).toBe(2));
test.skip("is left out", () => {});
test("is shaky", () => expect(++tries).toBe(2));`,
    });
    const reporter = resolve("scripts/closing-line-reporter.mjs");
    const args = ["run", "--root", root, "--retry", "1", "--reporter", reporter];
    const { output } = await run(process.execPath, [resolve("node_modules/vitest/vitest.mjs"), ...args], process.cwd());
    expect(output.trim().split("\n")).toEqual([
      "passed at the second try: a.test.mjs > is shaky",
      "2 passed, 1 failed",
    ]);
  });
});
