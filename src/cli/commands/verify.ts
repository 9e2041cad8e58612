/** `evtctl verify`: the chain and every proof of a tenant's log, checked here, against the root's public key. */
import type { Command } from "commander";
import { EventplaneError } from "../../kernel/errors.js";
import type { Shell } from "../shell.js";

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  program
    .command("verify")
    .description("check the chain, the hashes and the proofs of all of a tenant's events")
    .option("--root-key <key>", "the root's public key, base64url (default: the context file's)")
    .addHelpText(
      "after",
      `
Nothing is taken on trust from the plane: each event is hashed here, and the key of each proof must be introduced
by the root key. Note the last hash that it prints: a log cut off at its end is only noticed by comparing. Whose id a
slug is, the plane says: give the tenant's id to have that checked too.
Status 6 when something does not hold; the message names the tenant and the position.

  evtctl verify
  evtctl verify --tenant acme --root-key 0Q6m… -o json`,
    )
    .action(async (options: { rootKey?: string }, command: Command) => {
      const credentials = shell.credentials(command);
      const rootKey = options.rootKey ?? credentials.context?.rootPublicKey;
      if (rootKey === undefined) {
        throw new EventplaneError(
          "usage",
          "The root's public key is missing: give it with --root-key, from its owner and not from the plane.",
        );
      }
      const client = await credentials.client();
      const { verifyLog } = await import("../verify/verify-log.js");
      const { terminal } = shell;
      const tenant = credentials.tenant().value ?? "";
      const log = await verifyLog(client, {
        tenant,
        rootPublicKey: rootKey,
        onEvents: (position) => {
          if (terminal.isInteractive) terminal.redraw(`position ${position} …`);
        },
      });
      if (terminal.isInteractive) terminal.redraw("");
      const printer = shell.printer(command);
      if (printer.format !== "table") await printer.value({ tenant, holds: true, ...log });
      else if (log.position === 0) await terminal.line("the log is empty: there is nothing to check");
      else {
        await terminal.line(`chain 1…${log.position} holds, ${log.position} proofs hold   last hash ${log.hash}`);
        await terminal.line(`of tenant ${log.tenantId}`);
      }
    });
}
