/** `evtctl start`: the same roles as a service on a migrated database. */
import type { Command } from "commander";
import { EventplaneError } from "../../kernel/errors.js";
import { appFileOf, type Config } from "../../plane/index.js";
import { logLevelOf, type ServeFlags, serve, serveConfig, watchdogOutput, withServeFlags } from "../serve.js";
import type { Shell } from "../shell.js";

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  withServeFlags(program.command("start"))
    .description("run all of a plane, or some of its roles, on the migrated database of DATABASE_URL")
    .option("--roles <roles>", "edge, controllers, workers, projections, relay, comma-separated (default all)")
    .addHelpText(
      "after",
      `
DATABASE_URL (or DATABASE_URL_FILE) names the database; user and password in it are replaced by those of each
role. Keys and role passwords are in the data folder, as \`evtctl migrate up\` left them. It refuses a superuser,
an owner, BYPASSRLS, and a server with fsync off. Logs are JSON on standard output.

With --roles it runs these only, and its data folder must hold what they need and nothing else: \`evtctl role export\`
makes it. A process without an edge answers /livez, /readyz and /metrics on its port.

  DATABASE_URL=postgresql://db.internal/eventplane evtctl start --config eventplane.config.ts
  DATABASE_URL=postgresql://db.internal/eventplane evtctl start --roles controllers,workers --data-dir ./controllers`,
    )
    .action(async (_options: unknown, command: Command) => {
      await runStart(serveConfig(command.optsWithGlobals<ServeFlags>(), shell));
    });
}

async function runStart(config: Config): Promise<void> {
  if (config.text("database.url") === undefined) {
    throw new EventplaneError(
      "config_invalid",
      "`start` needs DATABASE_URL or DATABASE_URL_FILE; `evtctl dev` brings a database of its own.",
    );
  }
  const { createLogger } = await import("../../observe/index.js");
  const logger = createLogger({ level: logLevelOf(config) });
  await serve({
    config,
    appFile: appFileOf(config, "start"),
    logger,
    mode: "start",
    watchdog: watchdogOutput(config, { fd: 1, isHuman: false }),
    onReady: ({ url, rootPublicKey }) => logger.info({ url, rootPublicKey }, "Eventplane is ready"),
  });
  logger.info({}, "Eventplane ended in order");
}
