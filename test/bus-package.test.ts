/** The bus stands alone: what the built `eventplane/bus` loads, and that it runs so. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { repository } from "./support/embedded-fixture.js";
import { buildCommand } from "./support/evtctl-process.js";

const run = promisify(execFile);
const dist = join(repository, "dist");

beforeAll(() => buildCommand(), 90_000);

/** Every file and every package that a module loads, itself and through others. */
function loadedBy(entry: string, sourceOf: (path: string) => string): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const waiting = [entry];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (files.has(path)) continue;
    files.add(path);
    for (const [, specifier = ""] of sourceOf(path).matchAll(/(?:\bfrom|^import|\bimport\()\s*"([^"]+)"/gm)) {
      if (specifier.startsWith(".")) waiting.push(join(dirname(path), specifier));
      else if (!specifier.startsWith("node:")) packages.add(specifier.split("/")[0] ?? "");
    }
  }
  return { files, packages };
}

const read = (path: string): string => readFileSync(path, "utf8");

describe("eventplane/bus", () => {
  it("pulls in nothing but Ajv and the kernel", () => {
    const { files, packages } = loadedBy(join(dist, "bus/index.js"), read);
    const rooms = new Set([...files].map((path) => relative(dist, path).split("/")[0]));
    expect(packages).toEqual(new Set(["ajv", "ajv-formats"]));
    expect(rooms).toEqual(new Set(["bus", "kernel"]));
  });

  it("would be found out if it did", () => {
    const planted = (path: string): string =>
      path.endsWith("kernel/ids.js")
        ? `${read(path)}\nimport { v4 } from "uuid";\nawait import("../event/index.js");`
        : read(path);
    const { files, packages } = loadedBy(join(dist, "bus/index.js"), planted);
    expect(packages).toContain("uuid");
    expect([...files].some((path) => relative(dist, path).startsWith("event/"))).toBe(true);
  });

  it("runs as a program imports it, and lets the process end", async () => {
    const program = `import { EventBus, topic } from "eventplane/bus";
      const bus = new EventBus({ topics: { hello: topic({ type: "string" }) } });
      bus.on("*", ({ payload }) => console.log(payload));
      bus.publish("hello", "world");`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], {
      cwd: repository,
      timeout: 20_000,
    });
    expect(stdout).toBe("world\n");
  });

  it("runs where no code may be made of text, but for JSON Schemas, which say so", async () => {
    const program = `import { EventBus, topic } from "eventplane/bus";
      const bus = new EventBus({ unknownTopics: "allow" });
      const seen = [];
      bus.on("*", ({ payload }) => seen.push(payload));
      for (let n = 0; n < 100; n++) bus.publish("hello", { n, of: { n } });
      console.log(seen.length, JSON.stringify(seen[99]), Object.isFrozen(seen[99].of));
      try { new EventBus({ topics: { hello: topic({ type: "string" }) } }); } catch ({ code }) { console.log(code); }`;
    const flags = ["--disallow-code-generation-from-strings", "--input-type=module"];
    const { stdout } = await run(process.execPath, [...flags, "-e", program], { cwd: repository, timeout: 20_000 });
    expect(stdout).toBe('100 {"n":99,"of":{"n":99}} true\nconfig_invalid\n');
  });

  const logging = `import { EventBus } from "eventplane/bus";
    const bus = new EventBus({ unknownTopics: "allow", log: { payloads: true } });
    for (let n = 0; n < 2_000; n++) bus.publish("hello", { n, password: "CANARY", text: "x".repeat(200) });
    process.on("exit", () => process.stderr.write(JSON.stringify(bus.statistics().log)));`;

  it("logs to standard output as lines of JSON, all of them before the process ends", async () => {
    const { stdout, stderr } = await run(process.execPath, ["--input-type=module", "-e", logging], { cwd: repository });
    const entries = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly payload: { readonly n: number } });
    expect(entries.map(({ payload }) => payload.n)).toEqual(Array.from({ length: 2_000 }, (_, n) => n));
    expect(stdout).not.toContain("CANARY");
    expect(JSON.parse(stderr)).toMatchObject({ written: 2_000, failed: 0 });
  });

  it("goes on when nobody reads its log any more, and counts what was not written", async () => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", logging], { cwd: repository });
    child.stdout.destroy();
    let said = "";
    child.stderr.on("data", (text) => (said += String(text)));
    const [status] = (await once(child, "close")) as [number];
    expect(status).toBe(0);
    expect((JSON.parse(said) as { readonly failed: number }).failed).toBeGreaterThan(0);
  });

  it("runs a handler in a thread that sees neither environment nor arguments, and lets the process end", async () => {
    const handler = `import { writeSync } from "node:fs";
      export default ({ payload }) => {
        const { SECRET = "none", PATH = "none" } = process.env;
        console.log("not on the output of the process");
        writeSync(1, [payload, SECRET, PATH, process.argv.length].join(" ") + "\\n");
      };`;
    // Neither closed nor unsubscribed; the event is published before the threads have started.
    const program = `import { EventBus } from "eventplane/bus";
      const bus = new EventBus({ unknownTopics: "allow" });
      const module = new URL("data:text/javascript," + encodeURIComponent(${JSON.stringify(handler)}));
      bus.on("*", { isolation: "thread", module });
      bus.on("hello", { isolation: "thread", module });
      bus.publish("hello", "world");`;
    const { stdout, stderr } = await run(process.execPath, ["--input-type=module", "-e", program, "argument"], {
      cwd: repository,
      timeout: 20_000,
      env: { ...process.env, SECRET: "s3cret" },
    });
    expect(stdout).toBe("world none none 2\nworld none none 2\n");
    expect(stderr).toBe("");
  });
});
