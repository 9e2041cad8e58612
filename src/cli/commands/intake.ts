/** `evtctl intake`: the tables that applications' intents are taken from, and what was refused in them. */
import type { Command } from "commander";
import type { ErrorCode } from "../../kernel/errors.js";
import { EventplaneError } from "../../kernel/errors.js";
import {
  type IntakeInstallation,
  type IntakeStatus,
  installIntakeOf,
  intakeSqlOf,
  openIntakeTables,
} from "../../plane/index.js";
import { uuid, wholeNumber } from "../option-values.js";
import type { Column } from "../output.js";
import { type ServeFlags, serveConfig } from "../serve.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

type IntakeTable =
  Awaited<ReturnType<typeof openIntakeTables>> extends ReadonlyMap<string, infer Table> ? Table : never;
type RefusedRow = Awaited<ReturnType<IntakeTable["refused"]>>[number] & { readonly intake: string };

interface InstallFlags extends IntakeInstallation {
  readonly dryRun?: boolean;
}

interface FilterFlags {
  readonly row?: string;
  readonly rowsOf?: string;
  readonly code?: ErrorCode;
  readonly all?: boolean;
  readonly limit?: number;
}

const statusColumns: readonly Column<IntakeStatus>[] = [
  { title: "INTAKE", value: ({ intake }) => intake },
  { title: "WAITING", value: ({ waiting }) => waiting },
  { title: "OLDEST", value: ({ oldestSeconds }) => `${oldestSeconds.toFixed(1)} s` },
  { title: "REFUSED", value: ({ refused }) => refused },
];
const refusedColumns: readonly Column<RefusedRow>[] = [
  { title: "ROW", value: ({ rowId }) => rowId },
  { title: "TENANT", value: ({ tenant }) => tenant },
  { title: "PRINCIPAL", value: ({ principal }) => principal },
  { title: "STREAM", value: ({ stream }) => stream },
  { title: "REFUSED", value: ({ refusedAt }) => refusedAt },
  { title: "CODE", value: ({ code }) => code },
  { title: "REASON", value: ({ message }) => message },
];
const refusedMax = 1_000;
const configOption = ["-c, --config <file>", "the application's file (default eventplane.config.ts)"] as const;

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const intake = program
    .command("intake")
    .description("tables of an application's own database that intents are taken from")
    .addHelpText(
      "after",
      `
\`install\` makes the table as the owner of that database, EVENTPLANE_INTAKE__OWNER_URL_FILE, or prints the SQL for your
own migrations. The others use what the application's file gives its intakes, and need no plane that runs.

  evtctl intake install --app-role shop --plane-role eventplane_shop --dry-run > 0042_intake.sql
  evtctl intake status
  evtctl intake refused shop --code schema_violation
  evtctl intake retry shop --row 6f1c4a52-0f5e-4f0c-9a55-2f8e6e3c1c11
  evtctl intake purge shop --all`,
    );
  addInstall(intake, shell);
  intake
    .command("status")
    .description("how many rows wait, for how long, and how many were refused")
    .argument("[name]")
    .option(...configOption)
    .action((name: string | undefined, _options: unknown, command: Command) => showStatus(name, { command, shell }));
  withFilter(intake.command("refused"))
    .description("list refused rows with their reasons, the oldest first")
    .option("--limit <rows>", "at most so many, 1 to 1,000; default 100", wholeNumber(1, refusedMax), 100)
    .action((name: string, flags: FilterFlags, command: Command) => showRefused({ name, flags, command, shell }));
  for (const [verb, description, done] of [
    ["retry", "let refused rows be tried again", "wait again"],
    ["purge", "delete refused rows; their intents are never published", "are gone"],
  ] as const) {
    withFilter(intake.command(verb))
      .description(description)
      .option("--all", "all that were refused")
      .action((name: string, flags: FilterFlags, command: Command) =>
        change({ name, flags, command, shell }, { verb, done }),
      );
  }
}

function addInstall(intake: Command, shell: Shell): void {
  intake
    .command("install")
    .description("make the table, or bring it up to this package")
    .option("--schema <name>", "its schema, one for each intake (default eventplane_intake)")
    .option("--app-role <role>", "the application's role, which may insert from then on")
    .option("--plane-role <role>", "the plane's role, which may select, update and delete from then on")
    .option("--notify", "notify the plane at each commit with intents; such commits wait for one another")
    .option("--dry-run", "change nothing and print the SQL")
    .action(async ({ dryRun, ...installation }: InstallFlags, command: Command) => {
      if (dryRun === true) return shell.terminal.line(await intakeSqlOf(installation));
      await installIntakeOf(serveConfig(command.optsWithGlobals<ServeFlags>(), shell), installation);
      await shell.terminal.line(`the intake ${safe(installation.schema ?? "eventplane_intake")} is installed`);
    });
}

function withFilter(command: Command): Command {
  return command
    .argument("<name>")
    .option(...configOption)
    .option("--row <id>", "this row", uuid)
    .option("--rows-of <tenant>", "rows of this tenant, as they name it")
    .option("--code <code>", "rows that were refused with this code");
}

interface Call {
  readonly command: Command;
  readonly shell: Shell;
}

interface FilteredCall extends Call {
  readonly name: string;
  readonly flags: FilterFlags;
}

async function showStatus(name: string | undefined, { command, shell }: Call): Promise<void> {
  const rows = await withTables({ command, shell, ...(name === undefined ? {} : { name }) }, async (tables) =>
    Promise.all([...tables].map(async ([intake, table]) => ({ intake, ...(await table.standing()) }))),
  );
  await shell.printer(command).list(rows, statusColumns);
}

async function showRefused({ name, flags, command, shell }: FilteredCall): Promise<void> {
  const rows = await withTables({ name, command, shell }, async (tables) => {
    const found = await tables.get(name)?.refused(filterOf(flags), flags.limit ?? refusedMax);
    return (found ?? []).map((row) => ({ intake: name, ...row }));
  });
  await shell.printer(command).list(rows, refusedColumns);
}

async function change(
  { name, flags, command, shell }: FilteredCall,
  { verb, done }: { readonly verb: "retry" | "purge"; readonly done: string },
): Promise<void> {
  const filter = filterOf(flags);
  if (Object.keys(filter).length === 0 && flags.all !== true)
    throw new EventplaneError(
      "usage",
      `Say which rows: --row, --rows-of, --code, or --all for ${verb} of all refused.`,
    );
  const rows = (await withTables({ name, command, shell }, async (tables) => tables.get(name)?.[verb](filter))) ?? 0;
  const printer = shell.printer(command);
  if (printer.format !== "table") return printer.value({ intake: name, [verb]: rows });
  await shell.terminal.line(`${rows} rows of intake ${safe(name)} ${done}`);
}

async function withTables<Result>(
  { name, command, shell }: Call & { readonly name?: string },
  work: (tables: ReadonlyMap<string, IntakeTable>) => Promise<Result>,
): Promise<Result> {
  const config = serveConfig(command.optsWithGlobals<ServeFlags>(), shell);
  const tables = await openIntakeTables(config, name);
  try {
    return await work(tables);
  } finally {
    await Promise.all([...tables.values()].map((table) => table.close()));
  }
}

function filterOf({ row, rowsOf, code }: FilterFlags): Parameters<IntakeTable["refused"]>[0] {
  return {
    ...(row === undefined ? {} : { rowId: row }),
    ...(rowsOf === undefined ? {} : { tenant: rowsOf }),
    ...(code === undefined ? {} : { code }),
  };
}
