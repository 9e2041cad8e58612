/** `evtctl projection query`: a page of a table, of one tenant or added up over all of them. */
import { type Command, InvalidArgumentError } from "commander";
import type { ProjectionQueryView } from "../../client/index.js";
import { EventplaneError } from "../../kernel/errors.js";
import { wholeNumber } from "../option-values.js";
import type { Column } from "../output.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

interface Flags {
  readonly key?: string;
  readonly where: Readonly<Record<string, string>>;
  readonly after?: string;
  readonly limit?: number;
  readonly minPosition?: number;
  readonly acrossTenants?: boolean;
}

type Row = Readonly<Record<string, unknown>>;

const rowsMax = 1_000;

/** Adds the command to `evtctl projection`. */
export function registerQuery(projection: Command, shell: Shell): void {
  projection
    .command("query")
    .description("show rows of a table: of one tenant with a reader's key, or added up over all tenants")
    .argument("<name>")
    .argument("<table>")
    .option("--across-tenants", "of all tenants, added up; needs a key of the platform")
    .option("--key <key>", "only this row")
    .option("--where <name=value>", "only groups with this value; again for others", whereOf, {})
    .option("--after <key>", "the page behind this key")
    .option("--limit <rows>", "rows of the page", wholeNumber(1, rowsMax))
    .option("--min-position <position>", "wait until everything up to this position is in it", wholeNumber(0))
    .addHelpText(
      "after",
      `
  evtctl projection query organizations_by_plan plans --where plan=team
  evtctl projection query organizations_by_plan plans --across-tenants`,
    )
    .action(async (name: string, table: string, flags: Flags, command: Command) => {
      const page = await ask({ name, table, flags, command, shell });
      const printer = shell.printer(command);
      if (printer.format !== "table") return printer.value(page);
      await printer.list<Row>(page.rows.map(flat), columnsOf(page.rows));
      if (page.next !== null) shell.terminal.note(`There are more: --after '${safe(page.next)}'`);
    });
}

async function ask({
  name,
  table,
  flags,
  command,
  shell,
}: {
  readonly name: string;
  readonly table: string;
  readonly flags: Flags;
  readonly command: Command;
  readonly shell: Shell;
}): Promise<{ readonly rows: readonly Row[]; readonly next: string | null }> {
  const { acrossTenants = false, minPosition, key, after, limit, where } = flags;
  const given = Object.entries({ key, after, limit }).filter(([, value]) => value !== undefined);
  const query: ProjectionQueryView = { table, where, ...Object.fromEntries(given) };
  const credentials = shell.credentials(command);
  if (!acrossTenants) {
    const waiting = minPosition === undefined ? {} : { minPosition };
    return (await credentials.client()).query<Row>(name, query, waiting);
  }
  if (minPosition !== undefined)
    throw new EventplaneError("usage", "--min-position is of one tenant's log: it does not go with --across-tenants.");
  return (await credentials.admin()).admin.projections.acrossTenants<Row>(name, query);
}

function whereOf(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("It is a name, = and a value, such as plan=team.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** The values of a group and its sums stand beside the rest. */
function flat({ group, sums, ...rest }: Row): Row {
  return { ...(group as Row | undefined), ...rest, ...(sums as Row | undefined) }; // objects, as the route answers
}

function columnsOf(rows: readonly Row[]): readonly Column<Row>[] {
  const names = rows.slice(0, 1).flatMap((row) => Object.keys(flat(row)));
  const ordered = [...names.filter((name) => name !== "tenants"), ...names.filter((name) => name === "tenants")];
  return ordered.map((name) => ({ title: name.toUpperCase(), value: (row) => cellOf(row[name]) }));
}

function cellOf(value: unknown): unknown {
  return typeof value === "object" ? JSON.stringify(value) : value;
}
