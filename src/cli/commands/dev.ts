/** `evtctl dev`: everything in one process, for one machine. */
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import type { Command } from "commander";
import {
  adminKeyFile,
  appFileOf,
  type Config,
  contextFile,
  ensureDevContext,
  type RunningPlane,
} from "../../plane/index.js";
import { adviceFor } from "../advice.js";
import { formatMs } from "../duration.js";
import { humanLog } from "../human-log.js";
import { logLevelOf, type ServeFlags, serve, serveConfig, watchdogOutput, withServeFlags } from "../serve.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  withServeFlags(program.command("dev"))
    .description("run a whole plane on this machine: PostgreSQL, edge, controllers, projections; reloads on save")
    .addHelpText(
      "after",
      `
Without DATABASE_URL a PostgreSQL of its own runs in the data folder. Without a configuration the organizations
example runs. The first start makes DIR/admin.key, a tenant \`dev\` and DIR/context.json (0600), which the other
commands find by themselves. Ctrl-C ends everything in order.

  evtctl dev
  evtctl dev --port 8787 --data-dir .eventplane --config eventplane.config.ts
  LOG_LEVEL=debug evtctl dev`,
    )
    .action(async (_options: unknown, command: Command) => {
      await runDev(serveConfig(command.optsWithGlobals<ServeFlags>(), shell), shell);
    });
}

async function runDev(config: Config, shell: Shell): Promise<void> {
  const { createLogger } = await import("../../observe/index.js");
  const writeErrors = (line: string): void => void process.stderr.write(line);
  const destination = process.stderr.isTTY ? humanLog(shell.terminal, writeErrors) : { write: writeErrors };
  const logger = createLogger({ level: logLevelOf(config), destination });
  const appFile = appFileOf(config, "dev");
  const isFirst = !existsSync(join(config.required("data.dir"), adminKeyFile));
  await serve({
    config,
    appFile,
    logger,
    mode: "dev",
    watchdog: watchdogOutput(config, { fd: 2, isHuman: process.stderr.isTTY }),
    onReady: async (plane) => {
      await ensureDevContext(config.required("data.dir"), plane);
      await greet({ plane, config, appFile, isFirst, shell });
    },
    onReload: (failure) => {
      if (failure === undefined) {
        shell.terminal.note(`${shell.terminal.green("reloaded")} ${shown(appFile)}`);
        return;
      }
      shell.terminal.note(`${shell.terminal.red("not reloaded")} ${failure.code}: ${safe(failure.message, 2_000)}`);
      shell.terminal.note(`  The app before it goes on. ${adviceFor(failure.code)}`);
    },
  });
  await shell.terminal.line("Ended; everything is on disk.");
}

interface Greeting {
  readonly plane: RunningPlane;
  readonly config: Config;
  readonly appFile: string;
  readonly isFirst: boolean;
  readonly shell: Shell;
}

async function greet({ plane, config, appFile, isFirst, shell }: Greeting): Promise<void> {
  const { terminal, self } = shell;
  const dataDir = config.required("data.dir");
  const folder = dataDir === ".eventplane" ? "" : ` --data-dir ${quoted(shown(dataDir))}`;
  const database =
    config.text("database.url") === undefined
      ? `PostgreSQL of its own in ${shown(dataDir)}`
      : "PostgreSQL of DATABASE_URL";
  const rootPath = join(dataDir, "keys/root.key");
  const lines = [
    `${terminal.green("Eventplane is ready")} at ${terminal.bold(plane.url)} after ${formatMs(performance.now())} (${database})`,
    `  app        ${shown(appFile)}; a saved change is loaded`,
    `  admin key  ${shown(join(dataDir, adminKeyFile))}; context of tenant dev ${shown(join(dataDir, contextFile))}`,
    `  root key   ${shown(rootPath)} ${existsSync(rootPath) ? "is not offline: good for development, not for production" : "is not on this machine: no other signing key can be introduced"}`,
    ...(isFirst ? ["", "Try next, in another terminal:"] : []),
    ...(isFirst ? firstSteps(appFile).map((step) => `  ${self} ${step}${folder}`) : []),
  ];
  for (const line of lines) await terminal.line(line);
}

/** Commands that this app understands: the example's, or those that any app has. */
function firstSteps(appFile: string): readonly string[] {
  if (!appFile.endsWith(join("examples", "organizations", "eventplane.config.ts"))) {
    return ["schema list", "publish TYPE --spec '{…}' --watch", "verify"];
  }
  const spec = '{"name":"Acme","plan":"team","region":"eu"}';
  return [`publish organization.create --spec '${spec}' --watch`, "get organization", "verify"];
}

/** Shorter of the path from here and the whole path. */
function shown(path: string): string {
  const whole = resolve(path);
  const fromHere = relative(process.cwd(), whole);
  return safe(fromHere === "" || fromHere.startsWith("..") ? whole : fromHere);
}

/** As one word of a shell. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
