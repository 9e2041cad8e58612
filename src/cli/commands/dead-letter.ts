/** `evtctl dead-letter`: work that controllers gave up; needs an admin key. */
import type { Command } from "commander";
import type { AdminClient, DeadLetterInfo } from "../../client/index.js";
import type { Column } from "../output.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

const columns: readonly Column<DeadLetterInfo>[] = [
  { title: "ID", value: ({ id }) => id },
  { title: "RESOURCE", value: ({ aggregateType, aggregateId }) => `${aggregateType}/${aggregateId}` },
  { title: "CONTROLLER", value: ({ component }) => component },
  { title: "ATTEMPTS", value: ({ attempts }) => attempts },
  { title: "SINCE", value: ({ since }) => since },
  { title: "REASON", value: ({ failure }) => failure.message },
];

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const deadLetter = program
    .command("dead-letter")
    .description("look at what controllers gave up, and decide on it")
    .addHelpText(
      "after",
      `
A dead letter blocks one controller of one resource. They are those of --tenant, or of the context's tenant.

  evtctl dead-letter list
  evtctl dead-letter redrive 0190c7c2-8c1e-8c0e-9d4b-2f6f3f0b7a11`,
    );
  deadLetter
    .command("list")
    .description("list them, newest first")
    .action(async (_options: unknown, command: Command) => {
      const { admin, tenant } = await connect(command, shell);
      await shell.printer(command).list(await admin.deadLetters(tenant), columns);
    });
  deadLetter
    .command("show")
    .description("show one with its reason")
    .argument("<id>")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { admin, tenant } = await connect(command, shell);
      await shell.printer(command).value(await admin.deadLetter(id, tenant));
    });
  addDecision(deadLetter, shell, {
    name: "redrive",
    description: "let the controller try again, from the first attempt",
    done: "is tried again",
  });
  addDecision(deadLetter, shell, { name: "discard", description: "give the work up for good", done: "is given up" });
}

interface DecisionText {
  readonly name: "redrive" | "discard";
  readonly description: string;
  readonly done: string;
}

function addDecision(deadLetter: Command, shell: Shell, { name, description, done }: DecisionText): void {
  deadLetter
    .command(name)
    .description(description)
    .argument("<id>")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { admin, tenant } = await connect(command, shell);
      await (name === "redrive" ? admin.redrive(id, tenant) : admin.discard(id, tenant));
      const printer = shell.printer(command);
      if (printer.format === "table") await shell.terminal.line(`dead letter ${safe(id)} ${done}`);
      else await printer.value({ id, decision: name });
    });
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
