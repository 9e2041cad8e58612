import { expect, test } from "vitest";
import { EventplaneError } from "../../../kernel/index.js";
import { explainingLine, fileFailure, serverFailure } from "./failure.js";

const at = { dataDir: "/data", logFile: "/data/postgres.log" };
const systemError = (code: string): Error => Object.assign(new Error(code), { code });

test("a failed start is explained by the first FATAL or PANIC line", () => {
  const log = [
    "2026-01-01 UTC [1] LOG:  database system was shut down",
    "2026-01-01 UTC [1] PANIC:  could not locate a valid checkpoint record at 0/1",
    "2026-01-01 UTC [2] FATAL:  something later",
  ].join("\n");
  expect(explainingLine(log)).toBe("could not locate a valid checkpoint record at 0/1");
  expect(explainingLine("initdb: error: no such user\n")).toBe("no such user");
  expect(explainingLine("all is well")).toBeUndefined();
});

test("an explanation is bounded and cannot steer a terminal", () => {
  const line = explainingLine(`FATAL:  a\u001b[31mb\u009b${"x".repeat(1000)}`) ?? "";
  expect(line).toMatch(/^a \[31mb x+$/);
  expect(line).toHaveLength(300);
});

test.each([
  ['FATAL:  could not write to file "pg_wal/xlogtemp.1": No space left on device', "disk_full"],
  ['LOG: x\nFATAL:  could not write lock file "postmaster.pid": No space left on device', "disk_full"],
  ['FATAL:  could not open file "global/pg_filenode.map": Permission denied', "data_directory_unwritable"],
  ['FATAL:  data directory "/data/pgdata" has wrong ownership', "data_directory_unwritable"],
  ['FATAL:  lock file "postmaster.pid" already exists', "data_directory_in_use"],
  ["FATAL:  database files are incompatible with server", "data_directory_damaged"],
  ["FATAL:  incorrect checksum in control file", "data_directory_damaged"],
  ['PANIC:  could not read file "global/pg_control": read 0 of 296', "data_directory_damaged"],
  ["FATAL:  could not create shared memory segment: Cannot allocate memory", "database_unreachable"],
  ["", "database_unreachable"],
])("a log of %j is %s", (log, code) => {
  const error = serverFailure(log, at);
  expect(error.code).toBe(code);
  expect(error.message).toContain("/data");
});

test.each([
  ["ENOSPC", "disk_full"],
  ["EDQUOT", "disk_full"],
  ["EACCES", "data_directory_unwritable"],
  ["EROFS", "data_directory_unwritable"],
  ["ENOTDIR", "data_directory_unwritable"],
  ["EIO", "data_directory_damaged"],
])("the system error %s is %s", (system, code) => {
  expect(fileFailure(systemError(system), "/data")).toMatchObject({ code, cause: { code: system } });
});

test("an error that is translated already stays as it is", () => {
  const error = new EventplaneError("aborted", "stop");
  expect(fileFailure(error, "/data")).toBe(error);
});
