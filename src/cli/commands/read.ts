/** `evtctl read`: events that are in the log. */
import type { Command } from "commander";
import type { ReadEventsQuery } from "../../client/index.js";
import { type EventFilterFlags, eventLineOf, withEventFilters } from "../event-lines.js";
import { wholeNumber } from "../option-values.js";
import type { Shell } from "../shell.js";

interface ReadFlags extends EventFilterFlags {
  readonly after?: number;
  readonly before?: number;
  readonly backwards?: boolean;
  readonly from?: string;
  readonly to?: string;
  readonly limit: number;
}

const pageMax = 1_000;

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  withEventFilters(program.command("read"))
    .description("read events of the tenant's log")
    .option("--after <position>", "positions greater than this", wholeNumber(0))
    .option("--before <position>", "positions smaller than this", wholeNumber(1))
    .option("--backwards", "newest first")
    .option("--from <time>", "recorded at or after, RFC 3339")
    .option("--to <time>", "recorded before, RFC 3339")
    .option("--limit <n>", "at most so many events; 0 is all", wholeNumber(0), 100)
    .addHelpText(
      "after",
      `
  evtctl read --backwards --limit 10
  evtctl read --kind intent --from 2026-01-31T00:00:00Z --limit 0 -o json > intents.ndjson`,
    )
    .action(async (flags: ReadFlags, command: Command) => {
      const client = await shell.credentials(command).client();
      const printer = shell.printer(command);
      let left = flags.limit === 0 ? Number.POSITIVE_INFINITY : flags.limit;
      for await (const event of client.read(queryOf(flags, Math.min(left, pageMax)))) {
        await printer.item(event, () => eventLineOf(event, shell.terminal));
        left -= 1;
        if (left <= 0) return;
      }
    });
}

function queryOf({ backwards, from, to, limit: _limit, ...filter }: ReadFlags, limit: number): ReadEventsQuery {
  return {
    ...filter,
    limit,
    ...(backwards === true ? { direction: "backwards" } : {}),
    ...(from === undefined ? {} : { recordedFrom: from }),
    ...(to === undefined ? {} : { recordedBefore: to }),
  };
}
