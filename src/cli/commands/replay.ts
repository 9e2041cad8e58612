/** `evtctl replay`: a tenant's history given to one consumer again; needs an admin key. */
import type { Command } from "commander";
import type { ReplayClient, ReplayFilterInfo, ReplayInfo, ReplayWish } from "../../client/index.js";
import { EventplaneError } from "../../kernel/errors.js";
import { wholeNumber } from "../option-values.js";
import type { Column } from "../output.js";
import { parseResourceName } from "../resource-name.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

const columns: readonly Column<ReplayInfo>[] = [
  { title: "ID", value: ({ id }) => id },
  { title: "TARGET", value: ({ target }) => `${target.kind}/${target.name}` },
  { title: "STATE", value: ({ state, dryRun }) => (dryRun ? `${state} (dry run)` : state) },
  { title: "POSITION", value: ({ progress, until }) => `${progress.position} of ${until}` },
  { title: "EVENTS", value: ({ progress }) => progress.events },
  { title: "RESULTS", value: ({ progress }) => resultsText(progress.results) },
  { title: "MADE", value: ({ createdAt }) => createdAt },
];

interface CreateFlags {
  readonly controller: string;
  readonly resource?: readonly string[];
  readonly type?: readonly string[];
  readonly correlationId?: string;
  readonly after?: number;
  readonly before?: number;
  readonly recordedFrom?: string;
  readonly recordedBefore?: string;
  readonly rate?: number;
  readonly dryRun?: boolean;
  readonly allowEffects?: boolean;
}

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const replay = program
    .command("replay")
    .description("give a tenant's history to one consumer again, and see what comes of it")
    .addHelpText(
      "after",
      `
A replay names one controller; nobody else is given anything. It looks again at every resource that the events are of,
and adds only what it decides otherwise than before. Calls outside are off unless --allow-effects.

  evtctl replay create --controller quota --resource organization/acme --dry-run
  evtctl replay create --controller quota --recorded-from 2026-11-22T08:00:00Z --recorded-before 2026-11-22T09:30:00Z
  evtctl replay show 0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11`,
    );
  addCreate(replay, shell);
  replay
    .command("list")
    .description("list them, newest first")
    .action(async (_options: unknown, command: Command) => {
      const { replays, tenant } = await connect(command, shell);
      await shell.printer(command).list(await replays.list(tenant), columns);
    });
  replay
    .command("show")
    .description("show one with its progress")
    .argument("<id>")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { replays, tenant } = await connect(command, shell);
      await shell.printer(command).value(await replays.get(id, tenant));
    });
  addChange(replay, shell, { name: "pause", description: "stop it until it is resumed", done: "is being paused" });
  addChange(replay, shell, { name: "resume", description: "let it go on where it was", done: "goes on" });
  addChange(replay, shell, { name: "cancel", description: "end it for good", done: "is being cancelled" });
}

function addCreate(replay: Command, shell: Shell): void {
  const several = (value: string, values: readonly string[] = []): readonly string[] => [...values, value];
  replay
    .command("create")
    .description("make one of what is in the log now")
    .requiredOption("--controller <name>", "its one target")
    .option("--resource <type[/id]>", "only events of this resource; may be given again", several)
    .option("--type <type>", "only events of this type; may be given again", several)
    .option("--correlation-id <id>", "only events of this trace")
    .option("--after <position>", "only events after this position", wholeNumber(0))
    .option("--before <position>", "only events before this position", wholeNumber(1))
    .option("--recorded-from <time>", "only events recorded then or later, RFC 3339")
    .option("--recorded-before <time>", "only events recorded before then")
    .option("--rate <n>", "events a second", wholeNumber(1, 10_000))
    .option("--dry-run", "say what would come of it; nothing is added")
    .option("--allow-effects", "calls outside may be made that were not made before")
    .action(async (flags: CreateFlags, command: Command) => {
      const { replays, tenant } = await connect(command, shell);
      const made = await replays.create(wishOf(flags), tenant);
      const printer = shell.printer(command);
      if (printer.format !== "table") return printer.value(made);
      await shell.terminal.line(`replay ${safe(made.id)} is made; see \`evtctl replay show ${safe(made.id)}\``);
    });
}

function addChange(
  replay: Command,
  shell: Shell,
  text: { readonly name: "pause" | "resume" | "cancel"; readonly description: string; readonly done: string },
): void {
  replay
    .command(text.name)
    .description(text.description)
    .argument("<id>")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { replays, tenant } = await connect(command, shell);
      const changed = await replays[text.name](id, tenant);
      const printer = shell.printer(command);
      if (printer.format === "table") await shell.terminal.line(`replay ${safe(id)} ${text.done}`);
      else await printer.value(changed);
    });
}

function wishOf(flags: CreateFlags): ReplayWish {
  const { controller, rate, dryRun, allowEffects } = flags;
  return {
    target: { controller },
    filter: filterOf(flags),
    ...(rate === undefined ? {} : { ratePerSecond: rate }),
    ...(dryRun === undefined ? {} : { dryRun }),
    ...(allowEffects === undefined ? {} : { allowEffects }),
  };
}

function filterOf(flags: CreateFlags): ReplayFilterInfo {
  const { type: types, correlationId, after, before, recordedFrom, recordedBefore, resource = [] } = flags;
  const named = resource.map((name) => parseResourceName(name));
  const [aggregateType, ...others] = new Set(named.map((name) => name.aggregateType));
  if (others.length > 0)
    throw new EventplaneError("usage", "A controller watches one aggregate: give resources of it.");
  const ids = named.flatMap(({ aggregateId }) => aggregateId ?? []);
  if (ids.length > 0 && ids.length < named.length)
    throw new EventplaneError("usage", "Give either resources with their ids, or the type alone.");
  const aggregateIds = ids.length === 0 ? undefined : ids;
  const members = { aggregateType, aggregateIds, types, correlationId, after, before, recordedFrom, recordedBefore };
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

function resultsText(results: ReplayInfo["progress"]["results"]): string {
  const entries = Object.entries(results);
  return entries.length === 0 ? "-" : entries.map(([name, count]) => `${name} ${count}`).join(", ");
}

async function connect(
  command: Command,
  shell: Shell,
): Promise<{ readonly replays: ReplayClient; readonly tenant: { readonly tenant?: string } }> {
  const credentials = shell.credentials(command);
  const { admin } = await credentials.admin();
  const tenant = credentials.tenant().value;
  return { replays: admin.replays, tenant: tenant === undefined ? {} : { tenant } };
}
