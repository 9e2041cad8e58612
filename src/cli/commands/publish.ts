/** `evtctl publish`: one intent from flags or a file, or many from NDJSON. */
import { type Command, Option } from "commander";
import type { ClientIntent, PublishReceipt } from "../../client/index.js";
import { EventplaneError } from "../../kernel/errors.js";
import { parseDuration } from "../duration.js";
import { exitStatusOf } from "../exit-codes.js";
import { wholeNumber } from "../option-values.js";
import { publishLines } from "../publish/publish-lines.js";
import { parseObject, readLines, readText } from "../publish/read-intents.js";
import { settle } from "../publish/settle.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

interface PublishFlags {
  readonly spec?: string;
  readonly file?: string;
  readonly ndjson?: boolean;
  readonly id?: string;
  readonly aggregateId?: string;
  readonly schemaVersion?: number;
  readonly expectedVersion?: string;
  readonly expectedGeneration?: number;
  readonly correlationId?: string;
  readonly causationId?: string;
  readonly occurredAt?: string;
  readonly watch?: boolean;
  readonly timeout: number;
  readonly concurrency: number;
  readonly run: string;
}

const concurrencyMax = 64;

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  program
    .command("publish")
    .description("publish an intent, or every line of a file")
    .argument("[type]", "type of the intent, as organization.create")
    .option("-s, --spec <json>", "what is wanted, as a JSON object; - reads it from standard input")
    .option("-f, --file <path>", "a whole intent as JSON, or intents as .ndjson; - is standard input")
    .option("--ndjson", "the file is NDJSON whatever its name")
    .option("--id <uuid>", "UUID of version 4 or 7; the same id again is the same intent")
    .option("--aggregate-id <id>", "the resource; without it an intent that creates names a new one")
    .option("--schema-version <n>", "version of the type's schema", wholeNumber(1))
    .option("--expected-version <version>", "a number, noStream, streamExists or any")
    .option("--expected-generation <n>", "generation that the resource must have", wholeNumber(0))
    .option("--correlation-id <uuid>", "groups events into one trace")
    .option("--causation-id <uuid>", "the event that caused this one")
    .option("--occurred-at <time>", "when it happened, RFC 3339")
    .option("-w, --watch", "wait until the resource rests and show its way there")
    .addOption(
      new Option("--timeout <duration>", "how long --watch waits, from sending on")
        .argParser(parseDuration)
        .default(60_000, "60s"),
    )
    .option("--concurrency <n>", "lists of 100 lines under way at once", wholeNumber(1, concurrencyMax), 4)
    .option("--run <name>", "with NDJSON: another name means the same lines anew", "")
    .addHelpText(
      "after",
      `
  evtctl publish organization.create --spec '{"name":"Acme","plan":"team","region":"eu"}' --watch
  evtctl publish organization.change-plan --aggregate-id 0190… --spec '{"plan":"free"}' --expected-generation 1
  evtctl publish --file intent.json
  generate | evtctl publish --file - --ndjson

A line is {"type":…,"spec":…,"aggregateId"?:…,"id"?:…}. One without an id gets one from its text and its line
number, so the same file again adds what is missing and nothing twice. --timeout ends with status 7; the intent
is in the log and goes on.`,
    )
    .action((type: string | undefined, flags: PublishFlags, command: Command) =>
      publish({ type, flags, command, shell }),
    );
}

interface PublishCall {
  readonly type: string | undefined;
  readonly flags: PublishFlags;
  readonly command: Command;
  readonly shell: Shell;
}

async function publish(call: PublishCall): Promise<void> {
  const { flags } = call;
  const isLines = flags.ndjson === true || /\.(ndjson|jsonl)$/.test(flags.file ?? "");
  if (isLines) return publishFile(call);
  const intent = await oneIntent(call);
  const client = await call.shell.credentials(call.command).client();
  const startedMs = performance.now();
  const receipt = await client.publish(intent);
  const printer = call.shell.printer(call.command);
  const isTable = printer.format === "table";
  if (flags.watch !== true) {
    if (isTable) await call.shell.terminal.line(receiptLine(receipt, call.shell));
    else await printer.value(receipt);
    return;
  }
  const { timeout: timeoutMs } = flags;
  const settled = await settle({ client, shell: call.shell, receipt, startedMs, timeoutMs, isShown: isTable });
  if (!isTable) await printer.value({ ...receipt, ...settled });
}

function receiptLine(receipt: PublishReceipt & { readonly repeated: boolean }, { terminal }: Shell): string {
  const { aggregateType, aggregateId, generation, position, id } = receipt;
  const what = receipt.repeated ? "repeated" : terminal.green("accepted");
  return `${terminal.bold(safe(`${aggregateType}/${aggregateId}`))}  ${what}  generation ${generation}, position ${position}, event ${safe(id)}`;
}

async function oneIntent({ type, flags, shell }: PublishCall): Promise<ClientIntent> {
  const { file, spec } = flags;
  if (file !== undefined && spec !== undefined) throw new EventplaneError("usage", "Give --spec or --file, not both.");
  if (file !== undefined) {
    const intent = parseObject(
      await readText(file, shell.stdin),
      file === "-" ? "Standard input" : safe(file),
    ) as ClientIntent; // the edge checks every member
    return { ...intent, ...(type === undefined ? {} : { type }), ...envelopeOf(flags) };
  }
  if (type === undefined) throw new EventplaneError("usage", "Give the intent's type, or a file with --file.");
  const text = spec === "-" ? await readText("-", shell.stdin) : spec;
  return { type, ...(text === undefined ? {} : { spec: parseObject(text, "The spec") }), ...envelopeOf(flags) };
}

function envelopeOf(flags: PublishFlags): Partial<ClientIntent> {
  const {
    id,
    aggregateId,
    schemaVersion,
    expectedVersion,
    expectedGeneration,
    correlationId,
    causationId,
    occurredAt,
  } = flags;
  const isNumber = expectedVersion !== undefined && /^\d{1,15}$/.test(expectedVersion);
  const given = {
    id,
    aggregateId,
    schemaVersion,
    expectedVersion: isNumber ? Number(expectedVersion) : expectedVersion,
    expectedGeneration,
    correlationId,
    causationId,
    occurredAt,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)); // the edge checks the words
}

async function publishFile({ type, flags, command, shell }: PublishCall): Promise<void> {
  const { file, watch, concurrency, run } = flags;
  if (file === undefined || type !== undefined || watch === true) {
    throw new EventplaneError(
      "usage",
      "NDJSON comes from --file PATH or --file -, with the types in its lines and without --watch.",
    );
  }
  const client = await shell.credentials(command).client();
  const bar = await progressBar(shell);
  const startedMs = performance.now();
  const report = await publishLines(client, readLines(file, shell.stdin), {
    concurrency,
    run,
    onLines: (count) => bar?.increment(count),
  });
  bar?.stop();
  const { created, repeated, refused, refusals, stoppedBy } = report;
  const seconds = (performance.now() - startedMs) / 1_000;
  const printer = shell.printer(command);
  if (printer.format === "table") {
    await shell.terminal.line(
      `${created} accepted, ${repeated} repeated, ${refused} refused in ${seconds.toFixed(1)} s`,
    );
  } else {
    await printer.value({ created, repeated, refused, seconds, stoppedBy: stoppedBy?.code ?? null });
  }
  for (const { line, error } of refusals) shell.terminal.note(`line ${line}: ${error.code}: ${safe(error.message)}`);
  if (refusals[0] !== undefined) shell.exitStatus = exitStatusOf(refusals[0].error.code);
  if (stoppedBy === undefined) return;
  shell.terminal.note(`${shell.terminal.red("error")} ${stoppedBy.code}: ${safe(stoppedBy.message)}`);
  shell.terminal.note("  When that is mended, publish the same file again: what is in the log stays once.");
  shell.exitStatus = exitStatusOf(stoppedBy.code);
}

/** Only where somebody looks; on standard error, beside the result. */
async function progressBar({ terminal }: Shell): Promise<{ increment(count: number): void; stop(): void } | undefined> {
  if (!terminal.isInteractive) return undefined;
  const { SingleBar } = await import("cli-progress");
  const bar = new SingleBar({ format: "{value} lines · {duration_formatted}", stream: process.stderr, etaBuffer: 1 });
  bar.start(0, 0);
  return bar;
}
