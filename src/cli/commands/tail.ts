/** `evtctl tail`: events as they are appended. */
import type { Command } from "commander";
import { type EventFilterFlags, eventLineOf, withEventFilters } from "../event-lines.js";
import { wholeNumber } from "../option-values.js";
import type { Shell } from "../shell.js";

interface TailFlags extends EventFilterFlags {
  readonly after?: number;
  readonly limit?: number;
}

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  withEventFilters(program.command("tail"))
    .description("follow the tenant's log, from now on or after a position")
    .option("--after <position>", "begin after this position; 0 is the beginning", wholeNumber(0))
    .option("--limit <n>", "end after so many events", wholeNumber(1))
    .addHelpText(
      "after",
      `
  evtctl tail
  evtctl tail --after 0 --kind fact -o json | jq .type`,
    )
    .action(async ({ limit, ...query }: TailFlags, command: Command) => {
      const client = await shell.credentials(command).client();
      const printer = shell.printer(command);
      let shown = 0;
      for await (const item of client.subscribe(query)) {
        if (item.type !== "event") continue;
        await printer.item(item.event, () => eventLineOf(item.event, shell.terminal));
        shown += 1;
        if (shown === limit) return;
      }
    });
}
