/** `evtctl quota`: how much a tenant may do; needs an admin key of the platform. */
import type { Command } from "commander";
import type { Quota, QuotaClient, QuotaInfo } from "../../client/index.js";
import { EventplaneError } from "../../kernel/errors.js";
import { wholeNumber } from "../option-values.js";
import type { Column } from "../output.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

type Member = keyof Quota;

/** Every member of a quota with what its option says. */
const members: Readonly<Record<Member, string>> = {
  requestsPerSecond: "requests of the tenant in a second",
  requestsBurst: "and at once",
  eventsPerSecond: "events that it publishes in a second",
  eventsBurst: "and at once",
  principalRequestsPerSecond: "requests of each principal in a second",
  principalRequestsBurst: "and at once",
  principalEventsPerSecond: "events that each principal publishes in a second",
  principalEventsBurst: "and at once",
  bytesPerDay: "bytes of specs that it stores in a day (UTC)",
  connections: "subscriptions that are open at once",
  streams: "streams that it has; not limited by default",
};
const names = Object.keys(members) as readonly Member[]; // of a const table

interface Row {
  readonly name: Member;
  readonly info: QuotaInfo;
}

const columns: readonly Column<Row>[] = [
  { title: "LIMIT", value: ({ name }) => optionOf(name) },
  { title: "IN FORCE", value: ({ name, info }) => info.limits[name] ?? "-" },
  { title: "SET", value: ({ name, info }) => info.quota[name] ?? "-" },
];

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const quota = program
    .command("quota")
    .description("say how much a tenant may do")
    .addHelpText(
      "after",
      `
  evtctl quota show --tenant acme
  evtctl quota set --tenant acme --requests-per-second 200 --bytes-per-day 1000000000
  evtctl quota reset --tenant acme`,
    );
  quota
    .command("show")
    .description("print the limits of a tenant, and which of them were set for it")
    .action(async (_options: unknown, command: Command) => {
      const { quotas, tenant } = await connect(command, shell);
      await show(shell, command, await quotas.get(tenant));
    });
  addSet(quota, shell);
  quota
    .command("reset")
    .description("give the tenant the platform's defaults again")
    .action(async (_options: unknown, command: Command) => {
      const { quotas, tenant } = await connect(command, shell);
      const { version } = await quotas.get(tenant);
      await show(shell, command, await quotas.set(tenant, {}, { follows: version }));
    });
}

function addSet(quota: Command, shell: Shell): void {
  const set = quota.command("set").description("set those limits that are named; the others stay as they are");
  for (const name of names) set.option(`--${optionOf(name)} <number>`, members[name], wholeNumber(1));
  set.action(async (given: Quota, command: Command) => {
    const { quotas, tenant } = await connect(command, shell);
    if (Object.keys(given).length === 0)
      throw new EventplaneError("usage", `Name what to set, as --${optionOf("requestsPerSecond")} 200.`);
    const { version, quota: before } = await quotas.get(tenant);
    await show(shell, command, await quotas.set(tenant, { ...before, ...given }, { follows: version }));
  });
}

async function show(shell: Shell, command: Command, info: QuotaInfo): Promise<void> {
  const printer = shell.printer(command);
  if (printer.format !== "table") return printer.value(info);
  await printer.list(
    names.map((name) => ({ name, info })),
    columns,
  );
  shell.terminal.note(`version ${info.version}, set ${safe(info.setAt ?? "never")}`);
}

/** `requestsPerSecond` → `requests-per-second`. */
function optionOf(name: Member): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

async function connect(
  command: Command,
  shell: Shell,
): Promise<{ readonly quotas: QuotaClient; readonly tenant: string }> {
  const credentials = shell.credentials(command);
  const { admin } = await credentials.admin();
  const tenant = credentials.tenant().value;
  if (tenant === undefined) throw new EventplaneError("usage", "Name the tenant with --tenant.");
  return { quotas: admin.quotas, tenant };
}
