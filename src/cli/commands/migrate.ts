/** `evtctl migrate`: brings the database of DATABASE_URL up to this package, with the owner's URL. */
import type { Command } from "commander";
import { type Config, migrateUp, migrationsOf, supabaseSqlOf } from "../../plane/index.js";
import { type ServeFlags, serveConfig } from "../serve.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const migrate = program
    .command("migrate")
    .description("bring the database of DATABASE_URL up to this package, or say where it stands")
    .addHelpText(
      "after",
      `
DATABASE_URL is the owner's: a role that owns the database and may create roles; no superuser is needed. Role
passwords are made in the data folder, where \`evtctl start\` finds them.

  DATABASE_URL_FILE=owner.url evtctl migrate status
  DATABASE_URL_FILE=owner.url evtctl migrate up --dry-run > plan.sql
  DATABASE_URL_FILE=owner.url evtctl migrate up --config eventplane.config.ts`,
    );
  migrate
    .command("up")
    .description("apply what is pending")
    .option("--dry-run", "change nothing and print the SQL")
    .option(
      "-c, --config <file>",
      "the application's file, for the tables of its projections (default eventplane.config.ts)",
    )
    .action((options: { dryRun?: boolean }, command: Command) =>
      up(configOf(command, shell), { dryRun: options.dryRun === true, command, shell }),
    );
  migrate
    .command("status")
    .description("show what is applied and what is pending")
    .option("--dry-run", "the same: this changes nothing anyway")
    .action((_options: unknown, command: Command) => status(configOf(command, shell), { command, shell }));
  migrate
    .command("supabase")
    .description("print the SQL that lets people who are signed in to Supabase read their own tenant; changes nothing")
    .action(async (_options: unknown, command: Command) =>
      shell.terminal.line(await supabaseSqlOf(configOf(command, shell))),
    );
}

function configOf(command: Command, shell: Shell): Config {
  return serveConfig(command.optsWithGlobals<ServeFlags>(), shell);
}

interface Call {
  readonly command: Command;
  readonly shell: Shell;
}

async function up(config: Config, { dryRun, command, shell }: Call & { readonly dryRun: boolean }): Promise<void> {
  const report = await migrateUp(config, { dryRun });
  const printer = shell.printer(command);
  const { terminal } = shell;
  if (printer.format !== "table") await printer.value({ dryRun, ...report });
  else if (dryRun) await terminal.line(report.sql);
  else if (report.migrations.length === 0)
    await terminal.line("nothing was pending; roles and passwords are as they should be");
  else for (const { version, name } of report.migrations) await terminal.line(`applied ${version} ${safe(name)}`);
  for (const warning of report.warnings) terminal.note(`${terminal.yellow("warning")} ${safe(warning)}`);
}

async function status(config: Config, { command, shell }: Call): Promise<void> {
  const found = await migrationsOf(config);
  const printer = shell.printer(command);
  if (printer.format !== "table") return printer.value(found);
  const rows = [
    ...found.applied.map(({ version, name, appliedAt }) => ({ version, name, state: appliedAt })),
    ...found.pending.map(({ version, name }) => ({ version, name, state: "pending" })),
  ];
  await printer.list(rows, [
    { title: "VERSION", value: ({ version }) => version },
    { title: "NAME", value: ({ name }) => name },
    { title: "APPLIED", value: ({ state }) => state },
  ]);
}
