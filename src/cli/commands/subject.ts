/** `evtctl subject`: whose personal data a tenant has, and their erasure; needs an admin key. */
import type { Command } from "commander";
import type { SubjectClient, SubjectInfo } from "../../client/index.js";
import type { Column } from "../output.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

const columns: readonly Column<SubjectInfo>[] = [
  { title: "SUBJECT", value: ({ subject }) => subject },
  { title: "STATE", value: ({ state }) => state },
  { title: "KEY", value: (info) => (info.state === "kept" ? info.keyId : "") },
  { title: "UNDER", value: (info) => (info.state === "kept" ? info.kekId : "") },
  { title: "ERASED", value: (info) => (info.state === "erased" ? info.erasedAt : "") },
];

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const subject = program
    .command("subject")
    .description("look at data subjects, and erase one")
    .addHelpText(
      "after",
      `
Personal fields are encrypted under a key of their data subject. To erase a subject is to destroy that key: nothing of
theirs can be read any more, anywhere, and it cannot be undone. The log still verifies.

  evtctl subject list
  evtctl subject list --erased
  evtctl subject erase acme cus_7f3a`,
    );
  subject
    .command("list")
    .description("list those with a key, or those that were erased")
    .option("--erased", "those that were erased, in that order")
    .action(async ({ erased }: { readonly erased?: boolean }, command: Command) => {
      const { subjects, tenant } = await connect(command, shell);
      const found: SubjectInfo[] = [];
      for await (const info of erased === true ? subjects.erased(tenant) : subjects.kept(tenant)) found.push(info);
      await shell.printer(command).list(found, columns);
    });
  subject
    .command("show")
    .description("show one")
    .argument("<subject>")
    .action(async (name: string, _options: unknown, command: Command) => {
      const { subjects, tenant } = await connect(command, shell);
      await shell.printer(command).value(await subjects.get(name, tenant));
    });
  subject
    .command("erase")
    .description("destroy the key of one, for ever")
    .argument("<tenant>", "id or slug")
    .argument("<subject>")
    .action(async (tenant: string, name: string, _options: unknown, command: Command) => {
      const { subjects } = await connect(command, shell);
      const { receipt, repeated } = await subjects.erase(name, { tenant });
      const printer = shell.printer(command);
      if (printer.format !== "table") return printer.value({ receipt, repeated });
      const done = repeated ? "had been erased" : "is erased";
      await shell.terminal.line(`data subject ${safe(name)} ${done}: event ${receipt.id} at ${receipt.recordedAt}`);
    });
}

async function connect(
  command: Command,
  shell: Shell,
): Promise<{ readonly subjects: SubjectClient; readonly tenant: { readonly tenant?: string } }> {
  const credentials = shell.credentials(command);
  const { admin } = await credentials.admin();
  const tenant = credentials.tenant().value;
  return { subjects: admin.subjects, tenant: tenant === undefined ? {} : { tenant } };
}
