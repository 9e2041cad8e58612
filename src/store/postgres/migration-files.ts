/** The numbered SQL files of the package. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { assert } from "../../kernel/index.js";

/** One migration as it is in the package. */
export interface MigrationFile {
  /** From 1, ascending. */
  readonly version: number;
  readonly name: string;
  /** With placeholders `:prefix`, `:partitions` and `:partition_by`. */
  readonly sql: string;
  /** SHA-256 of the file, hex. */
  readonly checksum: string;
}

/** What fills the placeholders. */
export interface MigrationSettings {
  readonly rolePrefix: string;
  /** HASH partitions of the log; 0 is one plain table. */
  readonly partitions: number;
}

/** Beside this module, in the sources; the compiled package keeps the same files under src/. */
const folders = ["./migrations/", "../../../src/store/postgres/migrations/"];
const fileForm = /^(\d{4})_([a-z0-9-]+)\.sql$/;

/** All migrations, in order. */
export function readMigrationFiles(): readonly MigrationFile[] {
  const folder = folders.map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url));
  assert(folder !== undefined, "the package has its migrations");
  const files = readdirSync(folder)
    .sort()
    .flatMap((file) => {
      if (!file.endsWith(".sql")) return [];
      const match = fileForm.exec(file);
      assert(match !== null, `a migration's file is called like 0001_some-words.sql, not ${file}`);
      const sql = readFileSync(new URL(file, folder), "utf8");
      return [
        {
          version: Number(match[1]),
          name: match[2] ?? "",
          sql,
          checksum: createHash("sha256").update(sql).digest("hex"),
        },
      ];
    });
  assert(
    files.every(({ version }, index) => version > (files[index - 1]?.version ?? 0)),
    "every migration has a number of its own",
  );
  return files;
}

/** The SQL of a migration for one installation. */
export function renderMigration({ sql }: MigrationFile, { rolePrefix, partitions }: MigrationSettings): string {
  return sql
    .replaceAll(":partition_by", partitions > 0 ? "partition by hash (tenant_id)" : "")
    .replaceAll(":partitions", String(partitions))
    .replaceAll(":prefix", rolePrefix);
}
