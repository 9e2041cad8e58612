/** `evtctl policy`: who may do what in a tenant, or for the platform in all; needs an admin key. */
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import type { PolicyChange, PolicyClient, PolicyTest, PolicyVersionInfo } from "../../client/index.js";
import { EventplaneError, isEventplaneError } from "../../kernel/errors.js";
import { wholeNumber } from "../option-values.js";
import type { Column } from "../output.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

const versionColumns: readonly Column<PolicyVersionInfo>[] = [
  { title: "VERSION", value: ({ version }) => version },
  { title: "APPLIED", value: ({ appliedAt }) => appliedAt },
  { title: "BY", value: ({ principal }) => `${principal.type}/${principal.id}` },
  { title: "RESTORES", value: ({ restores }) => restores ?? "-" },
  { title: "EVENT", value: ({ eventId }) => eventId },
];

const changeColumns: readonly Column<PolicyChange>[] = [
  { title: "CHANGE", value: ({ before, after }) => `${before.decision} → ${after.decision}` },
  { title: "PRINCIPAL", value: ({ principal }) => `${principal.type}/${principal.id}` },
  { title: "GRANTS", value: ({ principal }) => principal.grants.join(",") },
  { title: "ACTION", value: ({ action }) => action },
  { title: "RESOURCE", value: ({ resource }) => resource },
  { title: "BY", value: ({ before, after }) => (after.policies.length > 0 ? after : before).policies.join(",") },
  { title: "EVENTS", value: ({ events }) => events },
  { title: "LAST", value: ({ lastAt }) => lastAt },
];

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const policy = program
    .command("policy")
    .description("say who may do what in a tenant, or for the platform in all")
    .addHelpText(
      "after",
      `
  evtctl policy test acme.cedar --tenant acme       what it would have changed of what the log holds
  evtctl policy apply acme.cedar --tenant acme
  evtctl policy history --tenant acme
  evtctl policy rollback 3 --tenant acme`,
    );
  addShow(policy, shell);
  addTest(policy, shell);
  addApply(policy, shell);
  policy
    .command("history")
    .description("list the versions, newest first")
    .action(async (_options: unknown, command: Command) => {
      const { policies, tenant } = await connect(command, shell);
      await shell.printer(command).list(await policies.versions(tenant), versionColumns);
    });
  policy
    .command("rollback")
    .description("bring the text of an earlier version back, as a new version")
    .argument("<version>", "from `policy history`", wholeNumber(1))
    .action(async (version: number, _options: unknown, command: Command) => {
      const { policies, tenant } = await connect(command, shell);
      const { version: follows } = await policies.get(tenant);
      await applied(shell, command, await policies.apply({ version }, { ...tenant, follows }));
    });
}

function addShow(policy: Command, shell: Shell): void {
  policy
    .command("show")
    .description("print the policies in force, or of a version")
    .option("--at <version>", "an earlier one", wholeNumber(1))
    .action(async ({ at }: { readonly at?: number }, command: Command) => {
      const { policies, tenant } = await connect(command, shell);
      const shown = at === undefined ? await policies.get(tenant) : await policies.version(at, tenant);
      const printer = shell.printer(command);
      if (printer.format !== "table") return printer.value(shown);
      shell.terminal.note(`version ${shown.version}, applied ${safe(shown.appliedAt ?? "never")}`);
      for (const line of shown.text.split("\n")) await shell.terminal.line(safe(line));
    });
}

function addTest(policy: Command, shell: Shell): void {
  policy
    .command("test")
    .description("check a file, and say what it would change of the rulings in the log; nothing is applied")
    .argument("<file>", "Cedar text, each policy with an @id")
    .action(async (file: string, _options: unknown, command: Command) => {
      const { policies, tenant } = await connect(command, shell);
      const text = await textOf(file);
      const report = await placed(shell, file, policies.test(text, tenant));
      for (const warning of report.warnings) shell.terminal.note(`warning ${safe(file)}:${safe(warning)}`);
      const printer = shell.printer(command);
      if (printer.format !== "table") return printer.value(report);
      await printer.list(report.changes, changeColumns);
      shell.terminal.note(summaryOf(report));
    });
}

function addApply(policy: Command, shell: Shell): void {
  policy
    .command("apply")
    .description("put a file in the place of the policies in force")
    .argument("<file>", "Cedar text, each policy with an @id")
    .option("--follows <version>", "refuse when another version is in force; default the one that is", wholeNumber(0))
    .action(async (file: string, { follows }: { readonly follows?: number }, command: Command) => {
      const { policies, tenant } = await connect(command, shell);
      const text = await textOf(file);
      const version = follows ?? (await policies.get(tenant)).version;
      const result = await placed(shell, file, policies.apply({ text }, { ...tenant, follows: version }));
      for (const warning of result.warnings) shell.terminal.note(`warning ${safe(file)}:${safe(warning)}`);
      await applied(shell, command, result);
    });
}

async function applied(
  shell: Shell,
  command: Command,
  result: { readonly version: number; readonly policySetHash: string },
): Promise<void> {
  const printer = shell.printer(command);
  if (printer.format !== "table") return printer.value(result);
  await shell.terminal.line(
    `version ${result.version} is in force at every edge within a second   policy set ${safe(result.policySetHash).slice(0, 12)}…`,
  );
}

/** Problems are written as compilers do, before the error that names the first of them. */
async function placed<Result>(shell: Shell, file: string, asked: Promise<Result>): Promise<Result> {
  try {
    return await asked;
  } catch (error) {
    const problems = isEventplaneError(error, "policy_invalid") ? error.details["problems"] : undefined;
    if (Array.isArray(problems))
      for (const problem of problems) shell.terminal.note(`${safe(file)}:${safe(String(problem))}`);
    throw error;
  }
}

function summaryOf({ events, rulings, unknown, changes, changesLeftOut }: PolicyTest): string {
  const changed = changes.length + changesLeftOut;
  const unclear = unknown === 0 ? "" : `, ${unknown} of them could not be asked again`;
  return `${changed} of ${rulings} different rulings in the latest ${events} events would change${unclear}`;
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new EventplaneError("usage", `The file ${safe(file)} cannot be read.`, { cause });
  }
}

async function connect(
  command: Command,
  shell: Shell,
): Promise<{ readonly policies: PolicyClient; readonly tenant: { readonly tenant?: string } }> {
  const credentials = shell.credentials(command);
  const { admin } = await credentials.admin();
  const tenant = credentials.tenant().value;
  return { policies: admin.policies, tenant: tenant === undefined ? {} : { tenant } };
}
