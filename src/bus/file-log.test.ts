import {
  appendFile,
  chmod,
  chown,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isEventplaneError } from "../kernel/index.js";
import { VirtualClock } from "../testing/index.js";
import { EventBus, FileLog, type FileLogOptions } from "./index.js";

const coded = (code: Parameters<typeof isEventplaneError>[1]): unknown =>
  expect.toSatisfy((error) => isEventplaneError(error, code));

let folder: string;
let path: string;
let clock: VirtualClock;
let opened: FileLog[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bus-log-"));
  path = join(folder, "bus.log");
  clock = new VirtualClock();
  opened = [];
});
afterEach(async () => {
  for (const log of opened) await log.close().catch(() => undefined);
  await rm(folder, { recursive: true, force: true });
});

async function openLog(options: FileLogOptions = {}): Promise<FileLog> {
  const log = await FileLog.open(path, { clock, ...options });
  opened.push(log);
  return log;
}

function say(log: FileLog, n: number, text = ""): void {
  const time = new Date(clock.nowUs() / 1000).toISOString();
  log.info({ at: time, n, text }, "m");
}

async function numbersIn(file: string): Promise<readonly number[]> {
  const text = await readFile(file, "utf8");
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { readonly n: number }).n);
}

async function files(): Promise<readonly string[]> {
  return (await readdir(folder)).toSorted();
}

/** Of all files, the oldest first, the current one last. */
async function allNumbers(): Promise<readonly (readonly number[])[]> {
  const [current = "", ...full] = await files();
  return Promise.all([...full, current].map((name) => numbersIn(join(folder, name))));
}

const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

describe("the file", () => {
  test("has the lines of a bus, and goes on in the next process", async () => {
    for (const n of [1, 2]) {
      const log = await openLog();
      const bus = new EventBus({ unknownTopics: "allow", clock, log: { to: log, payloads: true } });
      void bus.publish("a", { n, password: "CANARY" });
      await clock.advance(10);
      await log.close();
    }
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: "info", topic: "a", payload: { n: 1, password: "[redacted]" }, message: "event accepted" },
      { payload: { n: 2 } },
    ]);
    expect(lines.join("")).not.toContain("CANARY");
  });

  test("is narrowed when others may read it, and its missing folder is the owner's alone", async () => {
    await writeFile(path, "", { mode: 0o644 });
    await openLog();
    expect(await modeOf(path)).toBe(0o600);
    path = join(folder, "a/b/bus.log");
    await openLog();
    expect(await modeOf(join(folder, "a/b"))).toBe(0o700);
  });

  const unsafe: Readonly<Record<string, () => Promise<unknown>>> = {
    "a symbolic link": async () => {
      await writeFile(join(folder, "target"), "precious");
      await symlink("target", path);
    },
    "a dangling symbolic link": () => symlink("nothing", path),
    "a second name": async () => {
      await writeFile(join(folder, "target"), "precious");
      await link(join(folder, "target"), path);
    },
    "a folder": () => mkdir(path),
    "a folder that others may write": () => chmod(folder, 0o777),
    "something else, not lines": () => writeFile(path, "precious"),
    "something else, without an end": () => writeFile(path, `{"a":1}\n${"precious".repeat(200_000)}`),
  };
  test.each(Object.keys(unsafe))("that is %s is refused and left as it is", async (name) => {
    await unsafe[name]?.();
    await expect(openLog()).rejects.toEqual(coded("config_invalid"));
    expect(await readFile(join(folder, "target"), "utf8").catch(() => "precious")).toBe("precious");
  });

  test("that belongs to another user is refused, by us or by the system", async () => {
    const isRoot = process.geteuid?.() === 0;
    path = isRoot ? path : "/etc/passwd";
    if (isRoot) {
      await writeFile(path, "", { mode: 0o600 });
      await chown(path, 65_534, 65_534);
    }
    const expected = isRoot ? coded("config_invalid") : expect.objectContaining({ code: "EACCES" });
    await expect(openLog()).rejects.toEqual(expected);
  });

  test("a torn last line is cut off, and nothing before it is lost", async () => {
    const first = await openLog();
    for (const n of [1, 2]) say(first, n);
    await first.close();
    const whole = await readFile(path, "utf8");
    for (const torn of ['{"level":"in', "{"]) {
      await appendFile(path, torn);
      const log = await openLog();
      say(log, 3);
      await log.close();
      expect(await numbersIn(path)).toEqual([1, 2, 3]);
      await writeFile(path, whole);
    }
  });

  test.each<[FileLogOptions]>([
    [{ fileBytesMax: 1 }],
    [{ filesMax: -1 }],
    [{ keepMs: 0.5 }],
    [{ waitingBytesMax: 2 ** 40 }],
  ])("%j is refused", async (options) => {
    await expect(openLog(options)).rejects.toEqual(coded("config_invalid"));
  });
});

describe("a new file", () => {
  test("begins before the size is exceeded; no line is lost, torn or in two files", async () => {
    const log = await openLog({ fileBytesMax: 1_024, filesMax: 100 });
    for (let n = 0; n < 100; n++) {
      say(log, n, "x".repeat(n));
      if (n % 7 === 0) await log.flush();
    }
    say(log, 100, "y".repeat(2_000));
    await log.flush();
    const numbers = await allNumbers();
    expect(numbers.flat()).toEqual(Array.from({ length: 101 }, (_, n) => n));
    expect(numbers.at(-1)).toEqual([100]);
    for (const name of (await files()).slice(1))
      expect((await stat(join(folder, name))).size).toBeLessThanOrEqual(1_024);
    expect(log.status()).toEqual({ written: 101, waiting: 0, dropped: 0, failures: 0 });
  });

  test("begins at the age of the first line, also of a file that an earlier process began", async () => {
    const first = await openLog({ fileAgeMs: 3_600_000 });
    say(first, 1);
    await first.flush();
    await clock.advance(3_599_000);
    say(first, 2);
    await first.close();
    await clock.advance(1_000);
    const second = await openLog({ fileAgeMs: 3_600_000 });
    say(second, 3);
    await second.flush();
    await clock.advance(3_600_000);
    say(second, 4);
    await second.flush();
    expect(await allNumbers()).toEqual([[1, 2], [3], [4]]);
    expect(await files()).toEqual(["bus.log", "bus.log.20260101T010000.000Z", "bus.log.20260101T020000.000Z"]);
  });

  test("whatever is written, restarted, torn and aged, every line is there once, in order, in whole files", async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("say" as const), characters: fc.nat(1_500) }),
      fc.record({ do: fc.constantFrom("flush" as const, "restart" as const, "tear" as const, "age" as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        for (const name of await files()) await rm(join(folder, name));
        const options = { fileBytesMax: 2_048, fileAgeMs: 60_000, filesMax: 1_000, keepMs: 3_600_000_000 };
        let log = await openLog(options);
        let said = 0;
        for (const one of steps) {
          if (one.do === "say") say(log, said++, "x".repeat(one.characters));
          else if (one.do === "flush") await log.flush();
          else if (one.do === "age") await clock.advance(60_000);
          else {
            await log.close();
            if (one.do === "tear") await appendFile(path, '{"level":"info","te');
            log = await openLog(options);
          }
        }
        await log.close();
        expect((await allNumbers()).flat()).toEqual(Array.from({ length: said }, (_, n) => n));
      }),
      { numRuns: 50 },
    );
  });

  test("makes the oldest full one go when there are too many, and those that are too old", async () => {
    const options = { fileBytesMax: 1_024, filesMax: 3, keepMs: 86_400_000 };
    const log = await openLog(options);
    const other = ["bus.log.bak", "bus.log.20260101T000000.000Zx", "other.log.20200101T000000.000Z"];
    for (const name of other) await writeFile(join(folder, name), "");
    for (let n = 0; n < 12; n++) {
      say(log, n, "x".repeat(900));
      await log.flush();
    }
    const ours = async (): Promise<readonly string[]> => (await files()).filter((name) => !other.includes(name));
    expect(await Promise.all((await ours()).map((name) => numbersIn(join(folder, name))))).toEqual([
      [11],
      [8],
      [9],
      [10],
    ]);
    await clock.advance(86_500_000);
    await log.close();
    await openLog(options);
    expect(await ours()).toEqual(["bus.log"]);
    expect((await files()).length).toBe(1 + other.length);
  });

  test("follows when another program moved the file away", async () => {
    const log = await openLog();
    say(log, 1);
    await log.flush();
    await rename(path, `${path}.moved`);
    say(log, 2);
    await log.flush();
    expect([await numbersIn(`${path}.moved`), await numbersIn(path)]).toEqual([[1], [2]]);
    await rm(path);
    await symlink("bus.log.moved", path);
    say(log, 3);
    await expect(log.flush()).rejects.toEqual(coded("config_invalid"));
    expect(await numbersIn(`${path}.moved`)).toEqual([1]);
  });
});

describe("when the files cannot be written", () => {
  test("lines wait within their bound, the rest is dropped, counted and told of, and the bus goes on", async () => {
    const errors: unknown[] = [];
    const log = await openLog({
      waitingBytesMax: 10_000,
      onError: (error) => {
        errors.push(error);
        throw new Error("a callback that fails");
      },
    });
    const bus = new EventBus({ unknownTopics: "allow", clock, log: { to: log } });
    let seen = 0;
    bus.on("a", () => void seen++);
    // A file where the folder was: nothing can be written, whoever one is.
    await rm(folder, { recursive: true });
    await writeFile(folder, "");
    for (let n = 0; n < 200; n++) void bus.publish("a", n);
    await clock.advance(50);
    expect(seen).toBe(200);
    await expect(log.flush()).rejects.toThrow(/ENOTDIR|EEXIST/);
    const { waiting, dropped, failures } = log.status();
    expect(waiting + dropped).toBe(200);
    expect([waiting, dropped, failures].every((count) => count > 0)).toBe(true);
    expect(errors).toHaveLength(failures);
    await rm(folder);
    await mkdir(folder, { mode: 0o700 });
    await log.flush();
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    expect(lines).toHaveLength(waiting + 1);
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({
      level: "warn",
      lines: dropped,
      message: "log lines dropped",
    });
    expect(log.status().written).toBe(waiting + 1);
  });

  test("it tries again by itself, with pauses that grow", async () => {
    const log = await openLog({ random: () => 1 });
    await rm(folder, { recursive: true });
    await writeFile(folder, "");
    say(log, 1);
    for (const [failures, pauseMs] of [1_000, 2_000, 4_000].entries()) {
      // Files are outside of the virtual clock.
      await expect.poll(() => log.status().failures).toBe(failures + 1);
      await clock.advance(pauseMs - 1);
      expect(log.status().failures).toBe(failures + 1);
      await clock.advance(1);
    }
    await expect.poll(() => log.status().failures).toBe(4);
    await rm(folder);
    await mkdir(folder, { mode: 0o700 });
    await clock.advance(30_000);
    await expect.poll(() => log.status().written).toBe(1);
  });

  test("a callback for failures that throws or rejects harms nobody", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", note);
    let told = 0;
    const onError = (): unknown => {
      if (++told % 2 === 0) throw new Error("callback");
      return Promise.reject(new Error("callback"));
    };
    const log = await openLog({ onError });
    await rm(folder, { recursive: true });
    await writeFile(folder, "");
    say(log, 1);
    await expect(log.flush()).rejects.toThrow(/ENOTDIR|EEXIST/);
    await expect(log.flush()).rejects.toThrow(/ENOTDIR|EEXIST/);
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
    expect(told).toBeGreaterThanOrEqual(2);
  });

  test("closing tells, drops what waits, and can be done again", async () => {
    const log = await openLog();
    await rm(folder, { recursive: true });
    await writeFile(folder, "");
    say(log, 1);
    await expect(log.close()).rejects.toThrow(/ENOTDIR|EEXIST/);
    expect(log.status()).toMatchObject({ waiting: 0, dropped: 1 });
    await log.close();
    say(log, 2);
    expect(log.status()).toMatchObject({ waiting: 0, dropped: 2 });
  });
});
