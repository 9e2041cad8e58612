/** The bus's own log files in a process of their own: odd umasks, and a limit that the system sets to the size of files. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { repository } from "./support/embedded-fixture.js";
import { buildCommand } from "./support/evtctl-process.js";

const run = promisify(execFile);

let folder: string;
beforeAll(async () => {
  buildCommand();
  folder = await mkdtemp(join(tmpdir(), "bus-log-"));
}, 90_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a program in a shell that said `before`. @returns what it printed */
async function inShell(before: string, program: string): Promise<string> {
  const command = `${before}; exec "$0" --input-type=module -e "$1"`;
  const { stdout } = await run("/bin/bash", ["-c", command, process.execPath, program], {
    cwd: repository,
    timeout: 30_000,
  });
  return stdout;
}

describe("a file log", () => {
  it.each(["777", "022", "000"])("has files of mode 0600 under the umask %s", async (umask) => {
    const own = join(folder, umask);
    await inShell(
      `mkdir -m 700 ${own}; umask ${umask}`,
      `import { FileLog } from "eventplane/bus";
      const log = await FileLog.open("${own}/bus.log", { fileBytesMax: 1_024 });
      for (let n = 0; n < 20; n++) log.info({ n, text: "x".repeat(200) }, "m");
      await log.close();`,
    );
    const names = await readdir(own);
    expect(names.length).toBeGreaterThan(1);
    for (const name of names) expect((await stat(join(own, name))).mode & 0o777).toBe(0o600);
  });

  it("outlives a full disk: nothing is torn or there twice, what was lost is counted, and it goes on when there is room", async () => {
    const path = join(folder, "full.log");
    // The system refuses to let a file grow beyond 16 KiB, in the middle of a line.
    const said = await inShell(
      "trap '' XFSZ; ulimit -f 16",
      `import { renameSync } from "node:fs";
      import { EventBus, FileLog } from "eventplane/bus";
      const codes = new Set();
      const log = await FileLog.open("${path}", { waitingBytesMax: 10_000, onError: ({ code }) => codes.add(code) });
      const bus = new EventBus({ unknownTopics: "allow", log: { to: log, payloads: true } });
      let handled = 0;
      bus.on("a", () => void handled++);
      for (let n = 0; n < 200; n++) {
        await bus.publish("a", { n, text: "x".repeat(n % 150) });
        // Nothing is lost before the file is full: what has come by then is written.
        if (n % 10 === 0) await bus.drain(1_000).then(() => log.flush()).catch(() => undefined);
      }
      await bus.drain(1_000); // what the bus has still to tell its log
      const failed = await log.flush().then(() => "no", ({ code }) => code);
      const full = log.status();
      renameSync("${path}", "${path}.moved");
      await log.flush();
      await log.close();
      console.log(JSON.stringify({ handled, codes: [...codes], failed, full, after: log.status() }));`,
    );
    const { handled, codes, failed, full, after } = JSON.parse(said) as {
      readonly handled: number;
      readonly codes: readonly string[];
      readonly failed: string;
      readonly full: Counts;
      readonly after: Counts;
    };
    expect({ handled, codes, failed }).toEqual({ handled: 200, codes: ["EFBIG"], failed: "EFBIG" });
    expect([full.waiting, full.dropped, full.failures].every((count) => count > 0)).toBe(true);
    expect(full.written + full.waiting + full.dropped).toBe(200);
    const first = await linesOf(`${path}.moved`);
    const second = await linesOf(path);
    expect(first).toHaveLength(full.written);
    const numbers = [...first, ...second.slice(0, -1)].map(({ payload }) => payload?.n);
    expect(numbers).toEqual(Array.from({ length: full.written + full.waiting }, (_, n) => n));
    expect(second.at(-1)).toMatchObject({ message: "log lines dropped", lines: full.dropped });
    expect(after).toMatchObject({ written: first.length + second.length, waiting: 0, dropped: full.dropped });
  });
});

interface Counts {
  readonly written: number;
  readonly waiting: number;
  readonly dropped: number;
  readonly failures: number;
}

interface Line {
  readonly payload?: { readonly n: number };
}

async function linesOf(path: string): Promise<readonly Line[]> {
  const text = await readFile(path, "utf8");
  expect(text.endsWith("\n")).toBe(true);
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line); // lines of objects
}
