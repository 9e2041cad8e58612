/**
 * Finds a nats-server of at least 2.12 and prints its path: on PATH, in our cache folder, else the newest package of Debian's newer
 * suites, unpacked into that folder. The machine itself is not changed: apt gets a source list, lists and a cache of its own,
 * and asks the mirror that the machine's own sources name.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";

const versionMin = [2, 12];
const suites = ["sid", "forky", "trixie"];
const runMsMax = 240_000;

/** The folder that holds what was fetched. */
export const natsCache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "eventplane", "nats-server");

/**
 * The path of a nats-server that is new enough; brings one when there is none.
 *
 * @param {{ path?: string, cache?: string }} [places] where it is looked for: a PATH, a cache folder
 * @throws Error that says what to install
 */
export function natsServer({ path = process.env.PATH ?? "", cache = natsCache } = {}) {
  const found = path.split(delimiter).map((folder) => join(folder, "nats-server"));
  const cached = existsSync(cache)
    ? readdirSync(cache)
        .map((name) => join(cache, name))
        .sort()
        .reverse()
    : [];
  const good = [...found, ...cached].find((file) => existsSync(file) && isNewEnough(versionOf(file)));
  return good ?? fetchServer(cache);
}

/** Whether this version, as `nats-server --version` says it, will do. */
export function isNewEnough(version) {
  const numbers = /v?(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number) ?? [0, 0];
  return numbers[0] > versionMin[0] || (numbers[0] === versionMin[0] && numbers[1] >= versionMin[1]);
}

function versionOf(file) {
  const { status, stdout } = spawnSync(file, ["--version"], { encoding: "utf8", timeout: 10_000 });
  return status === 0 ? stdout : "";
}

function fetchServer(cache) {
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, ".fetch-"));
  try {
    const apt = privateApt(work);
    run("apt-get", [...apt, "-q", "update"], work);
    const version = newest(run("apt-cache", [...apt, "madison", "nats-server"], work));
    run("apt-get", [...apt, "-q", "download", `nats-server=${version}`], work);
    const packages = readdirSync(work).filter((name) => name.endsWith(".deb"));
    if (packages.length !== 1) throw missing("apt downloaded no package");
    run("dpkg", ["-x", packages[0], "unpacked"], work);
    const binary = ["usr/bin", "usr/sbin"]
      .map((folder) => join(work, "unpacked", folder, "nats-server"))
      .find(existsSync);
    if (binary === undefined || !isNewEnough(versionOf(binary))) throw missing(`version ${version} does not run here`);
    const kept = join(cache, `nats-server-${version.replaceAll(/[^A-Za-z0-9.]/g, "_")}`);
    // By a rename, so that nobody ever sees half of it; who comes second brings the same.
    renameSync(binary, kept);
    return kept;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Options that keep apt away from everything of the machine but its mirror and its keys. */
function privateApt(work) {
  const sources = join(work, "sources.list");
  const uri = mirror();
  writeFileSync(sources, suites.map((suite) => `deb ${uri} ${suite} main\n`).join(""));
  const folders = ["lists/partial", "cache/archives/partial"].map((name) => join(work, name));
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  const settings = {
    "Dir::Etc::SourceList": sources,
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::Etc::Preferences": "/dev/null",
    "Dir::Etc::PreferencesParts": "/dev/null",
    "Dir::State::Lists": join(work, "lists"),
    "Dir::Cache": join(work, "cache"),
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

/** The mirror of the machine's own sources. */
function mirror() {
  const format = "$(COMPONENT) $(RELEASE) $(REPO_URI)";
  const lines = run("apt-get", ["indextargets", "--format", format], process.cwd()).split("\n");
  const line = lines.find((each) => each.startsWith("main ") && !/^\S+ \S*security/.test(each));
  if (line === undefined) throw missing("apt has no sources");
  return line.split(" ")[2];
}

/** `nats-server | 2.15.1-1 | …`, the newest first. */
function newest(madison) {
  const versions = madison.split("\n").flatMap((line) => line.split("|")[1]?.trim() || []);
  const version = versions.find(isNewEnough);
  if (version === undefined) throw missing(`apt knows ${versions.join(", ") || "none"}`);
  return version;
}

function run(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8", timeout: runMsMax });
  if (status === 0) return stdout;
  throw missing(
    `${command} ${error === undefined ? `ended with ${status}: ${stderr.trim().slice(-400)}` : error.message}`,
  );
}

function missing(why) {
  const wanted = `nats-server ${versionMin.join(".")} or newer`;
  return new Error(`${wanted} is missing and could not be fetched (${why}). Install it and put it on PATH.`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    process.stdout.write(`${natsServer()}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
