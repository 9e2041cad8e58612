/** What `doctor` looks at. Every check answers; none throws. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { EventplaneError, isEventplaneError } from "../../kernel/errors.js";
import { adminKeyFile, type Config, checkServiceDatabase, contextFile, migrationsOf } from "../../plane/index.js";
import { adviceFor } from "../advice.js";
import type { Credentials } from "../credentials.js";
import { formatMs } from "../duration.js";

/** One finding. */
export interface Finding {
  readonly check: string;
  readonly state: "ok" | "warning" | "failed" | "skipped";
  readonly found: string;
  /** What to do; empty when nothing is to be done. */
  readonly advice: string;
}

const nodeMajor = 20;
const nodeMinor = 19;
const answerWithinMs = 3_000;
const skewMsMax = 2_000;
const othersMask = 0o077;

/** Node.js is one that this package runs on. */
export function checkVersions(packageVersion: string): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const fits = major > nodeMajor || (major === nodeMajor && minor >= nodeMinor);
  const found = `eventplane ${packageVersion}, Node.js ${process.versions.node}`;
  return fits ? ok("versions", found) : failed("versions", found, `Use Node.js ${nodeMajor}.${nodeMinor} or later.`);
}

/** The plane answers and is ready, and its clock and ours agree. */
export async function checkPlane(url: string): Promise<readonly Finding[]> {
  const startedMs = performance.now();
  try {
    const response = await fetch(new URL("/readyz", url), { signal: AbortSignal.timeout(answerWithinMs) });
    const tookMs = performance.now() - startedMs;
    const plane = response.ok
      ? ok("plane", `${url} is ready (${formatMs(tookMs)})`)
      : failed(
          "plane",
          `${url} is not ready: ${await reasonsOf(response)}`,
          "Wait a moment; if it stays, read the plane's log.",
        );
    return [plane, clockFinding(response.headers.get("date"), tookMs)];
  } catch {
    return [
      failed("plane", `${url} does not answer`, adviceFor("unavailable")),
      skipped("clock", "no answer to compare with"),
    ];
  }
}

/** The credential works for its tenant. */
export async function checkCredential(credentials: Credentials): Promise<Finding> {
  try {
    const { origin } = await credentials.apiKey();
    const client = await credentials.client();
    await client.schemas();
    return ok("credential", `the key from ${origin} may read tenant ${credentials.tenant().value}`);
  } catch (error) {
    return failure("credential", error);
  }
}

/** Secret files of the data folder are their owner's alone. */
export function checkKeyFiles(dataDir: string): Finding {
  const names = [
    adminKeyFile,
    contextFile,
    "database.json",
    "postgres.secret",
    "keys/root.key",
    "keys/edge.key",
    "keys/runtime.key",
    "keys/webhooks.key",
  ];
  const present = names.map((name) => join(dataDir, name)).filter((path) => existsSync(path));
  if (present.length === 0) return skipped("key files", `none in ${dataDir}`);
  const open = present.filter((path) => (statSync(path).mode & othersMask) !== 0);
  if (open.length === 0) return ok("key files", `${present.length} in ${dataDir}, readable by their owner only`);
  return failed(
    "key files",
    `others can read ${open.join(", ")}`,
    `Run \`chmod 600 ${open.join(" ")}\` and replace these keys.`,
  );
}

/** The root key is where it should not be in production. */
export function checkRootKey(dataDir: string): Finding {
  const path = join(dataDir, "keys/root.key");
  if (!existsSync(path)) return ok("root key", "not on this machine");
  return {
    check: "root key",
    state: "warning",
    found: `${path} is on this machine`,
    advice: "Good for development; in production keep it offline.",
  };
}

/** The given database is migrated and its service roles are safe. */
export async function checkDatabase(config: Config): Promise<readonly Finding[]> {
  if (config.text("database.url") === undefined)
    return [skipped("database", "DATABASE_URL is not set: `evtctl dev` runs one of its own")];
  const findings: Finding[] = [await migrationsFinding(config)];
  try {
    await checkServiceDatabase(config);
    findings.push(ok("database roles", "services log in as their own roles; commits are durable"));
  } catch (error) {
    findings.push(failure("database roles", error));
  }
  return findings;
}

/** Only the owner may look; a service's URL needs no user, and its roles are refused on another migration anyway. */
async function migrationsFinding(config: Config): Promise<Finding> {
  const url = config.text("database.url") ?? "";
  if (URL.canParse(url) && new URL(url).username === "")
    return skipped("migrations", "DATABASE_URL names no owner; `database roles` sees whether they are applied");
  try {
    const { version, wanted, pending } = await migrationsOf(config);
    const found = `migration ${version} of ${wanted}`;
    return pending.length === 0 ? ok("migrations", found) : failed("migrations", found, adviceFor("migration_needed"));
  } catch (error) {
    return failure("migrations", error);
  }
}

async function reasonsOf(response: Response): Promise<string> {
  const body: unknown = await response.json().catch(() => undefined);
  if (typeof body === "object" && body !== null && "reasons" in body && Array.isArray(body.reasons))
    return body.reasons.join(", ");
  return `status ${response.status}`;
}

/** The Date header has whole seconds: only more than that and the way there counts. */
function clockFinding(date: string | null, tookMs: number): Finding {
  const theirsMs = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(theirsMs)) return skipped("clock", "the plane does not tell its time");
  const skewMs = Math.abs(Date.now() - theirsMs) - 1_000 - tookMs;
  if (skewMs <= skewMsMax) return ok("clock", "agrees with the plane's");
  return failed(
    "clock",
    `differs from the plane's by about ${formatMs(skewMs)}`,
    "Set both clocks with NTP: keys and times depend on them.",
  );
}

const ok = (check: string, found: string): Finding => ({ check, state: "ok", found, advice: "" });
const skipped = (check: string, found: string): Finding => ({ check, state: "skipped", found, advice: "" });
const failed = (check: string, found: string, advice: string): Finding => ({ check, state: "failed", found, advice });

function failure(check: string, error: unknown): Finding {
  const known = isEventplaneError(error)
    ? error
    : new EventplaneError("internal", error instanceof Error ? error.message : String(error));
  return failed(check, `${known.code}: ${known.message}`, adviceFor(known.code));
}
