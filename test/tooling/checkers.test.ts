import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const scripts = resolve("scripts");
let root = "";

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "eventplane-tooling-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function plant(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
}

function check(script: string): Promise<{ readonly status: number; readonly output: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [join(scripts, script), root], (error, stdout, stderr) => {
      done({ status: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

const rooms = {
  "src/kernel/index.ts": 'export { one } from "./one.js";\n',
  "src/kernel/one.ts": "export const one = 1;\n",
  "src/store/index.ts": 'export { two } from "./two.js";\n',
  "src/store/two.ts": 'import { one } from "../kernel/index.js";\nexport const two = one + 1;\n',
};

describe("check-boundaries", () => {
  test("passes a tree in which every import keeps the directions", async () => {
    await plant(rooms);
    expect(await check("check-boundaries.mjs")).toEqual({
      status: 0,
      output: "boundaries: 4 modules, 0 violations\n",
    });
  });

  test.each([
    ["a room that imports one above it", "src/kernel/bad.ts", 'import "../store/index.js";', "room-kernel"],
    [
      "a type imported from a room above",
      "src/kernel/bad.ts",
      'import type { A } from "../store/index.js";',
      "room-kernel",
    ],
    ["an import past a room's face", "src/store/bad.ts", 'import "../kernel/one.js";', "only-through-the-face"],
    [
      "an adapter that imports an adapter",
      "src/store/memory/bad.ts",
      'import "../postgres/index.js";',
      "adapters-stay-apart",
    ],
    [
      "a room's core that imports an adapter",
      "src/store/bad.ts",
      'import "./postgres/index.js";',
      "core-knows-no-adapter",
    ],
    ["a domain room that opens sockets", "src/kernel/bad.ts", 'import "node:net";', "domain-does-no-io"],
    ["a client that uses Node", "src/client/bad.ts", 'import "node:fs";', "client-is-fetch-only"],
    ["a room that nobody declared", "src/misc/bad.ts", 'import "../kernel/index.js";', "known-room"],
    [
      "a test that reaches into another room",
      "src/store/bad.test.ts",
      'import "../kernel/one.js";',
      "tests-of-a-room-use-faces",
    ],
    [
      "an example that reaches into the sources",
      "examples/a/bad.ts",
      'import "../../src/store/index.js";',
      "examples-are-users",
    ],
  ])("finds %s", async (_, path, text, rule) => {
    await plant({ ...rooms, "src/store/postgres/index.ts": "export const pg = 1;\n", [path]: `${text}\n` });
    const { status, output } = await check("check-boundaries.mjs");
    expect(output).toContain(`breaks ${rule}`);
    expect(status).toBe(1);
  });

  test("finds a cycle", async () => {
    await plant({ ...rooms, "src/kernel/one.ts": 'import "./index.js";\nexport const one = 1;\n' });
    expect((await check("check-boundaries.mjs")).output).toContain("breaks no-cycles");
  });

  test("does not pass when it saw nothing", async () => {
    await mkdir(join(root, "src"));
    expect((await check("check-boundaries.mjs")).status).toBe(1);
  });
});

describe("check-mutations", () => {
  test("passes copies, decoded fields, empty values, results of event/mutate, and statuses that are not a resource's", async () => {
    await plant({
      "src/event/mutate.ts": "export const decide = (r) => ({ ...r, finalizers: { ...r.finalizers, a: 1 } });\n",
      "src/store/ok.ts": [
        'import { decide } from "../event/mutate.js";',
        'const a = { statusText: row.status_text, finalizersText: "{}" };',
        "const b = { generation: 1, status: JSON.parse(row.statusText), finalizers: row.finalizers };",
        "const c = { finalizersText: JSON.stringify(decide(row)) };",
        "const problem = { status: 404, title: 'not found' };",
        "reply.status(404);",
        "class Lazy { #status; get status() { return (this.#status ??= JSON.parse(row.statusText)); } }",
      ].join("\n"),
    });
    expect(await check("check-mutations.mjs")).toEqual({ status: 0, output: "mutations: 1 files, 0 violations\n" });
  });

  test.each([
    ["an assignment", "resource.finalizers = marks;"],
    ["an assignment deep inside", 'resource.status["quota"].members = 3;'],
    ["a deletion", "delete resource.finalizers.quota;"],
    ["a count", "resource.status.tries++;"],
    ["new finalizers built from old ones", "const next = { finalizers: { ...resource.finalizers, quota: mark } };"],
    ["a status written over a spread resource", "const next = { ...resource, status: { quota: 3 } };"],
    ["a status beside a lifecycle", 'const next = { lifecycle: "live", status: fresh };'],
    ["a status as text", "const draft = { statusText: JSON.stringify(fresh) };"],
  ])("finds %s", async (_, line) => {
    await plant({ "src/edge/bad.ts": `// first line\n\n${line}\n` });
    const { status, output } = await check("check-mutations.mjs");
    expect(output).toContain("src/edge/bad.ts:3 ");
    expect(status).toBe(1);
  });
});

describe("check-docs", () => {
  test("points at the document's own line of a block that does not compile", async () => {
    await plant({
      "README.md": "# Title\n\n```ts check\nconst fine: number = 1;\n```\n",
      "docs/how/to.md": "Text\n\n```ts check\nconst one = 1;\nconst bad: string = one;\n```\n",
    });
    const { status, output } = await check("check-docs.mjs");
    expect(output).toContain("docs/how/to.md(5,7): error TS2322");
    expect(output).not.toContain("README.md(");
    expect(status).toBe(1);
  });

  test("passes blocks that compile and leaves unmarked blocks alone", async () => {
    await plant({ "README.md": "```ts check\nconst fine: number = 1;\n```\n\n```ts\nnot even code\n```\n" });
    expect(await check("check-docs.mjs")).toEqual({ status: 0, output: "docs: 1 blocks, all compile\n" });
  });

  test("refuses a block that never ends", async () => {
    await plant({ "README.md": "```ts check\nconst fine = 1;\n" });
    expect((await check("check-docs.mjs")).output).toContain("README.md:1 opens a code block that never ends");
  });
});

describe("oxlint", () => {
  const config = resolve(".oxlintrc.json");
  const program = resolve("node_modules/.bin/oxlint");

  function lint(): Promise<string> {
    return new Promise((done) => {
      const args = ["--type-aware", "--deny-warnings", "--format=unix"];
      execFile(program, args, { cwd: root }, (_, stdout, stderr) => done(stdout + stderr));
    });
  }

  beforeEach(async () => {
    await copyFile(config, join(root, ".oxlintrc.json"));
    const compilerOptions = { strict: true, module: "nodenext", target: "es2023", lib: ["es2023"], types: [] };
    await plant({ "tsconfig.json": JSON.stringify({ compilerOptions, include: ["src"] }) });
  });

  test.each([
    ["a promise that nobody awaits", "declare function f(): Promise<void>;\nf();", "no-floating-promises"],
    ["Date", "export const now = (): number => Date.now();", "no-restricted-globals"],
    ["setTimeout", "setTimeout(() => {}, 1);", "no-restricted-globals"],
    ["Math.random", "export const r = (): number => Math.random();", "no-restricted-properties"],
    ["randomUUID", 'import { randomUUID } from "node:crypto";\nexport const r = randomUUID;', "no-restricted-imports"],
    ["the environment", "export const home = process.env.HOME;", "no-restricted-globals"],
    ["any", "export const a = (b: any): number => b;", "no-explicit-any"],
    ["the console", 'console.log("here");', "no-console"],
  ])("finds %s in a domain room", async (_, text, rule) => {
    await plant({ "src/store/bad.ts": `${text}\n` });
    expect(await lint()).toContain(rule);
  });

  test("lets kernel/time.ts read the machine's clock", async () => {
    await plant({ "src/kernel/time.ts": "export const now = (): number => Date.now();\n" });
    expect(await lint()).not.toContain("no-restricted");
  });
});
