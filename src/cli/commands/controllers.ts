/** `evtctl controllers`: what another version of the controllers means for what is there. */
import type { Command } from "commander";
import type { DecisionChange, DecisionDifference, RecordedSince, Redecided } from "../../controller/index.js";
import { EventplaneError } from "../../kernel/errors.js";
import { parseUs } from "../../kernel/time.js";
import { addListAndChanges } from "../controllers/changes.js";
import { exitStatus } from "../exit-codes.js";
import { wholeNumber } from "../option-values.js";
import { type ServeFlags, serveConfig } from "../serve.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

interface VerifyFlags extends ServeFlags {
  readonly since?: string;
  readonly limit: number;
}

const jsonCharactersMax = 60;

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const controllers = program
    .command("controllers")
    .description("see what another version of the controllers would decide, and bring what is there to it")
    .addHelpText(
      "after",
      `
list, backfill and retire need an admin key; they are about --tenant, or the context's tenant.

  evtctl controllers verify --config candidate.config.ts
  evtctl controllers list
  evtctl controllers backfill quota --dry-run
  evtctl controllers retire legacy-quota --all-tenants`,
    );
  addListAndChanges(controllers, shell);
  controllers
    .command("verify")
    .description("run a configuration's controllers over the recorded decisions and say what differs")
    .option("-c, --config <file>", "the application's file, today's or a candidate (default eventplane.config.ts)")
    .option("--since <position|time>", "only decisions after this position, or recorded from this time on (RFC 3339)")
    .option("--limit <n>", "differences that are shown in full; all are counted", wholeNumber(0, 10_000), 20)
    .addHelpText(
      "after",
      `
Each decision in the tenant's log is made again on the same resource at the same time with the same chance. Nothing is
written and no worker is called. It reads with a reader's key. Status 6 when anything would be decided otherwise.

  evtctl controllers verify
  evtctl controllers verify --config candidate.config.ts --since 2026-01-01T00:00:00Z -o json`,
    )
    .action((_options: unknown, command: Command) => verify(command, shell));
}

async function verify(command: Command, shell: Shell): Promise<void> {
  const { since, limit, ...flags } = command.optsWithGlobals<VerifyFlags>();
  const client = await shell.credentials(command).client();
  const { terminal } = shell;
  const [{ redecide }, { loadConfiguredApp }, { httpRecordedLog }, { systemClock }] = await Promise.all([
    import("../../controller/index.js"),
    import("../../plane/index.js"),
    import("../controllers/http-recorded-log.js"),
    import("../../kernel/index.js"),
  ]);
  const redecided = await redecide({
    app: await loadConfiguredApp(serveConfig(flags, shell)),
    log: httpRecordedLog(client),
    clock: systemClock,
    since: sinceOf(since),
    differencesMax: limit,
    onPosition: (position) => {
      if (terminal.isInteractive) terminal.redraw(`position ${position} …`);
    },
  });
  if (terminal.isInteractive) terminal.redraw("");
  const printer = shell.printer(command);
  if (printer.format === "table") for (const line of linesOf(redecided)) await terminal.line(line);
  else await printer.value(redecided);
  if (redecided.differing.decisions > 0) shell.exitStatus = exitStatus.verificationFailed;
}

function sinceOf(since: string | undefined): RecordedSince {
  if (since === undefined) return {};
  if (/^\d{1,15}$/.test(since)) return { after: Number(since) };
  if (parseUs(since) !== undefined) return { recordedFrom: since };
  throw new EventplaneError("usage", "--since is a position, as 1200, or a time, as 2026-01-31T09:30:00Z.");
}

function* linesOf(redecided: Redecided): Generator<string> {
  const { decisions, differing, controllers, unknownControllers, first } = redecided;
  for (const difference of first) yield* differenceLines(difference);
  if (first.length < differing.decisions && first.length > 0) yield `… and ${differing.decisions - first.length} more`;
  for (const [name, count] of Object.entries(unknownControllers)) {
    yield `${counted(count, "decision")} of ${safe(name, 64)} left out: this configuration has no such controller`;
  }
  const by = Object.entries(controllers).map(([name, count]) => `${safe(name, 64)} ${count}`);
  yield differing.decisions === 0
    ? `${counted(decisions, "decision")} would be the same`
    : `${differing.decisions} of ${counted(decisions, "decision")} would be another${by.length === 0 ? "" : ` (${by.join(", ")})`}, of ${counted(differing.resources, "resource")}`;
}

function* differenceLines(difference: DecisionDifference): Generator<string> {
  const { controller, aggregateType, aggregateId, position, changes, failure } = difference;
  yield `${safe(`${aggregateType}/${aggregateId}`, 200)}  ${safe(controller ?? "-", 64)}  position ${position}`;
  for (const change of changes) yield `  ${changeText(change)}`;
  if (failure !== undefined) yield `  fails: ${safe(failure.code, 64)}: ${safe(failure.message)}`;
}

function changeText({ event, member, recorded, decided }: DecisionChange): string {
  const at = `${safe(event, 128)}${member === "" ? "" : ` ${safe(member, 200)}`}`;
  if (member === "") return `${at}: ${decided === undefined ? "would not be made" : "would be made as well"}`;
  return `${at}: ${short(recorded)} → ${short(decided)}`;
}

function short(value: unknown): string {
  return value === undefined ? "nothing" : safe(JSON.stringify(value), jsonCharactersMax);
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
