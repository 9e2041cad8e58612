/** `evtctl dead-letter`: work that controllers and workers gave up; needs an admin key. */
import type { Command } from "commander";
import type { AdminClient, DeadLetterGroupInfo, DeadLetterInfo, DecidedInfo } from "../../client/index.js";
import { EventplaneError } from "../../kernel/errors.js";
import { addDeadLetterFilter, type DeadLetterFilterFlags, deadLetterFilterIn } from "../dead-letter-filter.js";
import { formatMs } from "../duration.js";
import { wholeNumber } from "../option-values.js";
import type { Column } from "../output.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

const columns: readonly Column<DeadLetterInfo>[] = [
  { title: "ID", value: ({ id }) => id },
  { title: "RESOURCE", value: ({ resource }) => `${resource.aggregateType}/${resource.aggregateId}` },
  { title: "COMPONENT", value: ({ component }) => component },
  { title: "ATTEMPTS", value: ({ attempts }) => attempts },
  { title: "WAITING", value: ({ waiting }) => waiting },
  { title: "CODE VERSION", value: ({ codeVersion }) => codeVersion },
  { title: "SINCE", value: ({ since }) => since },
  { title: "REASON", value: ({ failure }) => failure.message },
];

const groupColumns: readonly Column<DeadLetterGroupInfo>[] = [
  { title: "COUNT", value: ({ count }) => count },
  { title: "COMPONENT", value: ({ component }) => component },
  { title: "CODE", value: ({ code }) => code },
  { title: "CODE VERSION", value: ({ codeVersion }) => codeVersion },
  { title: "OLDEST", value: ({ oldest }) => oldest },
  { title: "NEWEST", value: ({ newest }) => newest },
];

interface DecisionFlags extends DeadLetterFilterFlags {
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly rate?: number;
}

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const deadLetter = program
    .command("dead-letter")
    .description("look at what controllers and workers gave up, and decide on it")
    .addHelpText(
      "after",
      `
A dead letter blocks one component of one resource. They are those of --tenant, or of the context's tenant.

  evtctl dead-letter list --groups
  evtctl dead-letter redrive 0190c7c2-8c1e-8c0e-9d4b-2f6f3f0b7a11
  evtctl dead-letter redrive --component quota --code-version 1a2b3c4 --rate 20 --dry-run`,
    );
  addDeadLetterFilter(deadLetter.command("list").description("list them, newest first"))
    .option("--groups", "count them by component, error code and version of the code")
    .option("--limit <n>", "at most so many", wholeNumber(1, 1_000))
    .action(async (flags: DeadLetterFilterFlags & ListFlags, command: Command) => list(flags, command, shell));
  deadLetter
    .command("show")
    .description("show one with its reason")
    .argument("<id>")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { admin, tenant } = await connect(command, shell);
      await shell.printer(command).value(await admin.deadLetter(id, tenant));
    });
  const redrive = addDecision(deadLetter, shell, {
    name: "redrive",
    description: "let one try again from the first attempt, or all that the options mean",
    done: "is tried again",
  });
  redrive.option("--rate <n>", "so many a second", wholeNumber(1, 1_000));
  addDecision(deadLetter, shell, {
    name: "discard",
    description: "give one up for good, or all that the options mean",
    done: "is given up",
  });
}

interface ListFlags {
  readonly groups?: boolean;
  readonly limit?: number;
}

async function list(flags: DeadLetterFilterFlags & ListFlags, command: Command, shell: Shell): Promise<void> {
  const { groups, limit } = flags;
  const { admin, tenant } = await connect(command, shell);
  const query = { ...tenant, ...deadLetterFilterIn(flags) };
  const printer = shell.printer(command);
  if (groups === true) await printer.list(await admin.deadLetterGroups(query), groupColumns);
  else await printer.list(await admin.deadLetters({ ...query, ...(limit === undefined ? {} : { limit }) }), columns);
}

interface DecisionText {
  readonly name: "redrive" | "discard";
  readonly description: string;
  readonly done: string;
}

function addDecision(deadLetter: Command, shell: Shell, text: DecisionText): Command {
  return addDeadLetterFilter(deadLetter.command(text.name).description(text.description).argument("[id]"))
    .option("--all", "every dead letter of the tenant")
    .option("--dry-run", "say what would be decided, and decide nothing")
    .action(async (id: string | undefined, flags: DecisionFlags, command: Command) => {
      if (id === undefined) return decideAll(text, flags, { command, shell });
      if (Object.keys(flags).length > 0)
        throw new EventplaneError("usage", "Give either an id, or options that say which ones are meant.");
      return decideOne(text, id, { command, shell });
    });
}

interface Surroundings {
  readonly command: Command;
  readonly shell: Shell;
}

async function decideOne({ name, done }: DecisionText, id: string, { command, shell }: Surroundings): Promise<void> {
  const { admin, tenant } = await connect(command, shell);
  await (name === "redrive" ? admin.redrive(id, tenant) : admin.discard(id, tenant));
  const printer = shell.printer(command);
  if (printer.format === "table") await shell.terminal.line(`dead letter ${safe(id)} ${done}`);
  else await printer.value({ id, decision: name });
}

async function decideAll(
  { name }: DecisionText,
  flags: DecisionFlags,
  { command, shell }: Surroundings,
): Promise<void> {
  const { all = false, dryRun = false, rate } = flags;
  const filter = deadLetterFilterIn(flags);
  if (all === Object.keys(filter).length > 0)
    throw new EventplaneError("usage", "Say which ones are meant: an id, options such as --component, or --all.");
  const { admin, tenant } = await connect(command, shell);
  const wish = { ...(all ? { all } : { filter }), dryRun };
  const decided =
    name === "redrive"
      ? await admin.redriveAll({ ...wish, ...(rate === undefined ? {} : { ratePerSecond: rate }) }, tenant)
      : await admin.discardAll(wish, tenant);
  const printer = shell.printer(command);
  if (printer.format !== "table") return printer.value(decided);
  for (const line of linesOf(name, decided)) await shell.terminal.line(line);
}

function linesOf(name: DecisionText["name"], decided: DecidedInfo): readonly string[] {
  const { dryRun, matched, decided: done, skipped, takesMs, heldLeft } = decided;
  const over = takesMs > 0 ? ` over ${formatMs(takesMs)}` : "";
  const verb = name === "redrive" ? "tried again" : "given up";
  return [
    dryRun
      ? `${matched} dead letters would be ${verb}${over}`
      : `${done} of ${matched} dead letters are ${verb}${over}`,
    ...(skipped > 0 ? [`${skipped} were decided by somebody else meanwhile`] : []),
    ...(heldLeft > 0 ? [`${heldLeft} held effects are left alone: see evtctl effect list --state held`] : []),
  ];
}

async function connect(
  command: Command,
  shell: Shell,
): Promise<{ readonly admin: AdminClient; readonly tenant: { readonly tenant?: string } }> {
  const credentials = shell.credentials(command);
  const { admin } = await credentials.admin();
  const tenant = credentials.tenant().value;
  return { admin, tenant: tenant === undefined ? {} : { tenant } };
}
