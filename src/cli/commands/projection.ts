/** `evtctl projection`: how projections stand, what is asked of them with an admin key, and their rows. */
import type { Command } from "commander";
import type { ProjectionClient, ProjectionRequestName } from "../../client/index.js";
import { exitStatus } from "../exit-codes.js";
import type { Column } from "../output.js";
import { assertCompared, follow, isOfTenant, type Standing } from "../projection/follow.js";
import { registerQuery } from "../projection/query.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

const columns: readonly Column<Standing>[] = [
  { title: "NAME", value: ({ name }) => name },
  { title: "STATE", value: stateText },
  { title: "POSITION", value: (each) => (isOfTenant(each) ? `${each.position} of ${each.head}` : "-") },
  { title: "LAG", value: (each) => lagText(each) },
  { title: "VERSION", value: (each) => (isOfTenant(each) ? (each.liveVersion ?? "-") : each.version) },
];

interface Flags {
  readonly allTenants?: boolean;
  readonly wait?: boolean;
}

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const projection = program
    .command("projection")
    .description("look at projections and their rows, fold them anew, compare, pause")
    .addHelpText(
      "after",
      `
They are those of --tenant, or of the context's tenant; --all-tenants means all, with a key of the platform. What is
asked is in the log with who asked.

  evtctl projection list
  evtctl projection query organizations_by_plan plans
  evtctl projection rebuild organizations_by_plan            # reads go on meanwhile
  evtctl projection verify organizations_by_plan             # status 6 when it differs
  evtctl projection pause organizations_by_plan --all-tenants`,
    );
  const allTenants = ["--all-tenants", "all of them together"] as const;
  projection
    .command("list")
    .description("list them with their lag")
    .option(...allTenants)
    .action(async (flags: Flags, command: Command) => {
      const { projections, tenant } = await connect(command, shell, flags);
      await shell.printer(command).list(await projections.list(tenant), columns);
    });
  projection
    .command("show")
    .description("show one: position, lag, why it stands still, the last comparison")
    .argument("<name>")
    .option(...allTenants)
    .action(async (name: string, flags: Flags, command: Command) => {
      const { projections, tenant } = await connect(command, shell, flags);
      await shell.printer(command).value(await projections.get(name, tenant));
    });
  registerQuery(projection, shell);
  for (const [request, description] of [
    ["rebuild", "fold it anew beside what is read, which it then takes the place of"],
    ["verify", "fold it anew beside what is read, and compare the state digests"],
  ] as const) {
    projection
      .command(request)
      .description(description)
      .argument("<name>")
      .option(...allTenants)
      .option("--no-wait", "end when it is asked for")
      .action((name: string, flags: Flags, command: Command) => run({ request, name, flags, command, shell }));
  }
  for (const [request, description] of [
    ["pause", "let it stand still until it is resumed"],
    ["resume", "let it go on, also where an event stopped it"],
    ["reset", "begin again with nothing to read"],
  ] as const) {
    projection
      .command(request)
      .description(description)
      .argument("<name>")
      .option(...allTenants)
      .action((name: string, flags: Flags, command: Command) =>
        run({ request, name, flags: { ...flags, wait: false }, command, shell }),
      );
  }
}

interface Call {
  readonly request: ProjectionRequestName;
  readonly name: string;
  readonly flags: Flags;
  readonly command: Command;
  readonly shell: Shell;
}

async function run({ request, name, flags, command, shell }: Call): Promise<void> {
  const { projections, tenant } = await connect(command, shell, flags);
  const wanted = await projections.ask(request, name, tenant);
  const printer = shell.printer(command);
  if (flags.wait === false) {
    if (printer.format !== "table") await printer.value({ name, request });
    else await shell.terminal.line(`projection ${safe(name)}: ${request} is asked for`);
    return;
  }
  const standing = await follow(() => projections.get(name, tenant), { wanted, terminal: shell.terminal });
  if (request === "verify") assertCompared(standing);
  if (request === "verify" && !isSame(standing)) shell.exitStatus = exitStatus.verificationFailed;
  if (printer.format !== "table") await printer.value(standing);
  else await shell.terminal.line(`projection ${safe(name)}: ${outcomeText(request, standing)}`);
}

function isSame(standing: Standing): boolean {
  return isOfTenant(standing) ? standing.check?.isSame !== false : standing.differing === 0;
}

function outcomeText(request: ProjectionRequestName, standing: Standing): string {
  const done = request === "rebuild" ? "rebuilt" : "folded anew";
  if (!isOfTenant(standing)) {
    const { tenants, differing } = standing;
    return differing === 0
      ? `${done} for ${tenants} tenants, all the same`
      : `${done}; it differs for ${differing} tenants`;
  }
  const { check, position } = standing;
  if (check === null) return `${done} up to position ${position}`;
  const { fresh, live } = check;
  const digest = `state digest ${fresh.slice(0, 16)}… at position ${check.position}`;
  return check.isSame
    ? `${done}, ${digest}, the same as before`
    : `${done}, ${digest}; what was read had ${live.slice(0, 16)}…`;
}

function stateText(standing: Standing): string {
  if (isOfTenant(standing)) {
    const { state, fresh, failure } = standing;
    return `${state}${failure === null ? "" : ` (${failure.code})`}${fresh === null ? "" : `, ${fresh.role}`}`;
  }
  const stopped = standing.stopped.map(({ code, tenants }) => `${tenants} stopped (${code})`);
  return [standing.isPaused ? "paused" : "running", ...stopped].join(", ");
}

function lagText(standing: Standing): string {
  const { lagEvents } = standing;
  return isOfTenant(standing) ? `${lagEvents} events, ${standing.lagSeconds.toFixed(1)} s` : `${lagEvents} events`;
}

async function connect(
  command: Command,
  shell: Shell,
  flags: Flags,
): Promise<{ readonly projections: ProjectionClient; readonly tenant: { readonly tenant?: string } }> {
  const credentials = shell.credentials(command);
  const { admin } = await credentials.admin();
  const tenant = flags.allTenants === true ? undefined : credentials.tenant().value;
  return { projections: admin.projections, tenant: tenant === undefined ? {} : { tenant } };
}
