/** `evtctl tenant`: tenants of the plane; needs an admin key of the platform. */
import type { Command } from "commander";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const tenant = program
    .command("tenant")
    .description("create and list tenants")
    .addHelpText(
      "after",
      "\nThey use DIR/admin.key of the data folder, or the admin key in EVENTPLANE_API_KEY.\n\n  evtctl tenant create acme\n  evtctl tenant list -o json",
    );
  tenant
    .command("create")
    .description("create a tenant; an existing one is no error")
    .argument("<slug>", "its name in addresses, lower-case")
    .action(async (slug: string, _options: unknown, command: Command) => {
      const client = await shell.credentials(command).admin();
      const created = await client.admin.createTenant({ slug });
      const printer = shell.printer(command);
      if (printer.format !== "table") return printer.value(created);
      await shell.terminal.line(
        `tenant ${safe(created.slug)}  ${created.created ? "created" : "existed already"}  ${safe(created.id)}`,
      );
    });
  tenant
    .command("list")
    .description("list all tenants")
    .action(async (_options: unknown, command: Command) => {
      const client = await shell.credentials(command).admin();
      await shell.printer(command).list(await client.admin.tenants(), [
        { title: "SLUG", value: ({ slug }) => slug },
        { title: "ID", value: ({ id }) => id },
        { title: "CREATED", value: ({ createdAt }) => createdAt },
      ]);
    });
}
