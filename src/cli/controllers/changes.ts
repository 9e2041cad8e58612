/** `evtctl controllers list`, `backfill` and `retire`: controllers over living resources; need an admin key. */
import type { Command } from "commander";
import type { AdminClient, ControllerChangeInfo, ControllerInfo } from "../../client/index.js";
import { EventplaneError } from "../../kernel/errors.js";
import type { Column } from "../output.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

const columns: readonly Column<ControllerInfo>[] = [
  { title: "CONTROLLER", value: ({ name }) => name },
  { title: "WATCHES", value: ({ watches }) => watches ?? "-" },
  { title: "CONFIGURED", value: ({ inConfiguration }) => (inConfiguration ? "yes" : "no") },
  { title: "WAITING", value: ({ waiting }) => waiting },
  { title: "OLDEST", value: ({ oldestSeconds }) => `${Math.round(oldestSeconds)} s` },
  { title: "DEAD LETTERS", value: ({ deadLetters }) => deadLetters },
];

interface ChangeFlags {
  readonly dryRun?: boolean;
  readonly allTenants?: boolean;
  readonly reason?: string;
}

/** Adds the commands. */
export function addListAndChanges(controllers: Command, shell: Shell): void {
  controllers
    .command("list")
    .description("list controllers with what they have to do, also those that no configuration has any more")
    .action(async (_options: unknown, command: Command) => {
      const { admin, tenant } = await connect(command, shell);
      await shell.printer(command).list(await admin.controllers.list(of(tenant)), columns);
    });
  withChangeFlags(controllers.command("backfill"))
    .description("let a new controller look at every living resource once")
    .action((name: string, flags: ChangeFlags, command: Command) =>
      change(command, shell, { flags, ask: (admin, options) => admin.controllers.backfill(name, options) }),
    );
  withChangeFlags(controllers.command("retire"))
    .description("complete what resources wait for in vain, because a controller is gone")
    .option("--reason <text>", "a sentence for people, in each resource's log")
    .action((name: string, flags: ChangeFlags, command: Command) => {
      const reason = flags.reason === undefined ? {} : { reason: flags.reason };
      return change(command, shell, {
        flags,
        ask: (admin, options) => admin.controllers.retire(name, { ...options, ...reason }),
      });
    });
}

function withChangeFlags(command: Command): Command {
  return command
    .argument("<controller>")
    .option("--dry-run", "say how many resources it is about, and ask for nothing")
    .option("--all-tenants", "in every tenant, one after another; needs an admin key of the platform");
}

interface ChangeCall {
  readonly flags: ChangeFlags;
  readonly ask: (
    admin: AdminClient,
    options: { readonly tenant?: string; readonly dryRun: boolean },
  ) => Promise<ControllerChangeInfo>;
}

async function change(command: Command, shell: Shell, { flags, ask }: ChangeCall): Promise<void> {
  const { allTenants = false, dryRun = false } = flags;
  const { admin, tenant } = await connect(command, shell);
  if (allTenants && shell.globals(command).tenant !== undefined)
    throw new EventplaneError("usage", "Give either --tenant or --all-tenants.");
  const tenants = allTenants ? (await admin.tenants()).map(({ id }) => id) : [tenant];
  const made: ControllerChangeInfo[] = [];
  for (const one of tenants) {
    const info = await ask(admin, { ...of(one), dryRun });
    made.push(info);
    if (shell.printer(command).format === "table") await shell.terminal.line(lineOf(info));
  }
  if (shell.printer(command).format !== "table") await shell.printer(command).value(made);
}

function lineOf({ controller, change, tenantId, resources, dryRun }: ControllerChangeInfo): string {
  const count = `${resources} resource${resources === 1 ? "" : "s"}`;
  const what = change === "backfill" ? `${count} to look at` : `${count} waiting for it`;
  return `${safe(tenantId, 64)}  ${change} ${safe(controller, 64)}: ${what}${dryRun ? "; nothing was asked for" : ""}`;
}

function of(tenant: string | undefined): { readonly tenant?: string } {
  return tenant === undefined ? {} : { tenant };
}

async function connect(
  command: Command,
  shell: Shell,
): Promise<{ readonly admin: AdminClient; readonly tenant: string | undefined }> {
  const credentials = shell.credentials(command);
  return { admin: (await credentials.admin()).admin, tenant: credentials.tenant().value };
}
