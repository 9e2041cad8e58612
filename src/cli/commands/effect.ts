/** `evtctl effect`: outside calls without a result; needs an admin key. */
import { type Command, Option } from "commander";
import type { AdminClient, EffectInfo, EffectResolution } from "../../client/index.js";
import { EventplaneError } from "../../kernel/errors.js";
import type { Column } from "../output.js";
import { parseObject, readText } from "../publish/read-intents.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

const columns: readonly Column<EffectInfo>[] = [
  { title: "ID", value: ({ id }) => id },
  { title: "WORKER", value: ({ worker }) => worker },
  { title: "RESOURCE", value: ({ aggregateType, aggregateId }) => `${aggregateType}/${aggregateId}` },
  { title: "STATE", value: ({ state }) => state },
  { title: "ATTEMPTS", value: ({ attempts }) => attempts },
  { title: "ASKED", value: ({ askedAt }) => askedAt },
  { title: "REASON", value: ({ failure }) => failure?.message ?? "" },
];

interface ResolveFlags {
  readonly result?: string;
  readonly failed?: string;
  readonly message?: string;
}

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const effect = program
    .command("effect")
    .description("look at outside calls without a result, and decide on those that stand")
    .addHelpText(
      "after",
      `
An effect that is held (nobody knows what became of a call) or dead (given up) waits for you. They are those of
--tenant, or of the context's tenant. Look the idempotency key up at the service before you decide.

  evtctl effect list
  evtctl effect resolve 0190c7c2-8c1e-5c0e-9d4b-2f6f3f0b7a11 --result '{"id":"cus_9"}'
  evtctl effect resolve 0190c7c2-8c1e-5c0e-9d4b-2f6f3f0b7a11 --failed never_happened --message "Not known there"
  evtctl effect retry 0190c7c2-8c1e-5c0e-9d4b-2f6f3f0b7a11`,
    );
  effect
    .command("list")
    .description("list them, those that stand first")
    .addOption(new Option("--state <state>", "only these").choices(["waiting", "running", "held", "dead"]))
    .action(async ({ state }: { readonly state?: EffectInfo["state"] }, command: Command) => {
      const { admin, tenant } = await connect(command, shell);
      const effects = await admin.effects({ ...tenant, ...(state === undefined ? {} : { state }) });
      await shell.printer(command).list(effects, columns);
    });
  effect
    .command("show")
    .description("show one with its reason and its idempotency key")
    .argument("<id>")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { admin, tenant } = await connect(command, shell);
      await shell.printer(command).value(await admin.effect(id, tenant));
    });
  effect
    .command("resolve")
    .description("give its result by hand, without a call")
    .argument("<id>")
    .option("--result <json>", "what the worker would have returned, as a JSON object; - reads it from standard input")
    .option("--failed <code>", "that it failed, with a word for programs")
    .option("--message <text>", "with --failed: a sentence for people")
    .action(async (id: string, flags: ResolveFlags, command: Command) => {
      const { admin, tenant } = await connect(command, shell);
      await admin.resolveEffect(id, await resolutionOf(flags, shell), tenant);
      await say(command, shell, { id, decision: "resolve", text: "is resolved" });
    });
  effect
    .command("retry")
    .description("let the worker call again, with the same idempotency key")
    .argument("<id>")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { admin, tenant } = await connect(command, shell);
      await admin.retryEffect(id, tenant);
      await say(command, shell, { id, decision: "retry", text: "is called again" });
    });
}

async function resolutionOf({ result, failed, message }: ResolveFlags, shell: Shell): Promise<EffectResolution> {
  if ((result === undefined) === (failed === undefined)) {
    throw new EventplaneError(
      "usage",
      "Give either --result with what the worker would have returned, or --failed with a code.",
    );
  }
  if (failed !== undefined) return { failed: { code: failed, message: message ?? "Resolved by hand." } };
  if (message !== undefined) throw new EventplaneError("usage", "--message goes with --failed.");
  return { ok: parseObject(result === "-" ? await readText("-", shell.stdin) : (result ?? ""), "--result") };
}

async function say(
  command: Command,
  shell: Shell,
  { id, decision, text }: { readonly id: string; readonly decision: "resolve" | "retry"; readonly text: string },
): Promise<void> {
  const printer = shell.printer(command);
  if (printer.format === "table") await shell.terminal.line(`effect ${safe(id)} ${text}`);
  else await printer.value({ id, decision });
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
