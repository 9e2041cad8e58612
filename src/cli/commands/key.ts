/** `evtctl key`: API keys of a tenant; needs an admin key. */
import { type Command, InvalidArgumentError } from "commander";
import type { ClientGrant, KeyInfo } from "../../client/index.js";
import type { Column } from "../output.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

const grantNames: readonly string[] = ["publisher", "reader", "subscriber", "admin"] satisfies ClientGrant[];

const columns: readonly Column<KeyInfo>[] = [
  { title: "ID", value: ({ id }) => id },
  { title: "NAME", value: ({ name }) => name },
  { title: "GRANTS", value: ({ grants }) => grants.join(",") },
  { title: "CREATED", value: ({ createdAt }) => createdAt },
  { title: "EXPIRES", value: ({ expiresAt }) => expiresAt ?? "never" },
  { title: "REVOKED", value: ({ revokedAt }) => revokedAt ?? "no" },
];

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const key = program
    .command("key")
    .description("create, list and revoke API keys")
    .addHelpText(
      "after",
      `
  evtctl key create acme --name ci --grants publisher,reader > ci.key && chmod 600 ci.key
  evtctl key list acme
  evtctl key revoke acme 0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11`,
    );
  addCreate(key, shell);
  key
    .command("list")
    .description("list the keys of a tenant, revoked ones too")
    .argument("<tenant>", "id or slug")
    .action(async (tenant: string, _options: unknown, command: Command) => {
      const client = await shell.credentials(command).admin();
      await shell.printer(command).list(await client.admin.keys(tenant), columns);
    });
  key
    .command("revoke")
    .description("revoke a key; every edge refuses it within a second")
    .argument("<tenant>", "id or slug")
    .argument("<id>", "the key's id, from `key list`")
    .action(async (tenant: string, id: string, _options: unknown, command: Command) => {
      const client = await shell.credentials(command).admin();
      await client.admin.revokeKey(tenant, id);
      const printer = shell.printer(command);
      if (printer.format !== "table") return printer.value({ id, revoked: true });
      await shell.terminal.line(`key ${safe(id)} of ${safe(tenant)} is revoked`);
    });
}

function addCreate(key: Command, shell: Shell): void {
  key
    .command("create")
    .description("create a key; its text is shown this one time, on standard output")
    .argument("<tenant>", "id or slug")
    .requiredOption("--name <name>", "what it is for")
    .requiredOption("--grants <list>", `of ${grantNames.join(", ")}, with commas`, parseGrants)
    .option("--expires-at <time>", "RFC 3339")
    .action(
      async (
        tenant: string,
        wish: { name: string; grants: readonly ClientGrant[]; expiresAt?: string },
        command: Command,
      ) => {
        const client = await shell.credentials(command).admin();
        const created = await client.admin.createKey(tenant, wish);
        const printer = shell.printer(command);
        if (printer.format !== "table") return printer.value(created);
        await shell.terminal.line(created.key);
        shell.terminal.note(
          `key ${safe(created.id)} of ${safe(tenant)}; its text is not stored anywhere and not shown again`,
        );
      },
    );
}

function parseGrants(text: string): readonly ClientGrant[] {
  const grants = text.split(",").map((grant) => grant.trim());
  if (grants.every((grant) => grantNames.includes(grant))) return grants as ClientGrant[]; // each is one of the names
  throw new InvalidArgumentError(`Grants are ${grantNames.join(", ")}, with commas between.`);
}
