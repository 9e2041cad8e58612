/** `evtctl delete`: publishes the intent of a type that deletes. */
import { type Command, Option } from "commander";
import type { EventplaneClient } from "../../client/index.js";
import { EventplaneError } from "../../kernel/errors.js";
import { parseDuration } from "../duration.js";
import { wholeNumber } from "../option-values.js";
import { settle } from "../publish/settle.js";
import { parseOneResource } from "../resource-name.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

interface DeleteFlags {
  readonly watch?: boolean;
  readonly timeout: number;
  readonly expectedGeneration?: number;
}

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  program
    .command("delete")
    .description("ask for the deletion of a resource; its controllers finish their part first")
    .argument("<name>", "TYPE/ID, or TYPE")
    .argument("[id]", "id, when the type stands alone")
    .option("--expected-generation <n>", "generation that the resource must have", wholeNumber(0))
    .option("-w, --watch", "wait until it is gone")
    .addOption(
      new Option("--timeout <duration>", "how long --watch waits").argParser(parseDuration).default(60_000, "60s"),
    )
    .addHelpText("after", "\n  evtctl delete organization/0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11 --watch")
    .action(async (name: string, id: string | undefined, flags: DeleteFlags, command: Command) => {
      const { aggregateType, aggregateId } = parseOneResource(name, id);
      const client = await shell.credentials(command).client();
      const type = await deletingType(client, aggregateType);
      const { expectedGeneration, timeout: timeoutMs } = flags;
      const startedMs = performance.now();
      const receipt = await client.publish({
        type,
        aggregateId,
        spec: {},
        ...(expectedGeneration === undefined ? {} : { expectedGeneration }),
      });
      const printer = shell.printer(command);
      const isShown = printer.format === "table";
      if (flags.watch === true) {
        const settled = await settle({ client, shell, receipt, startedMs, timeoutMs, isShown });
        if (!isShown) await printer.value({ ...receipt, ...settled });
      } else if (isShown) {
        await shell.terminal.line(
          `${safe(`${aggregateType}/${aggregateId}`)}  deletion asked for  generation ${receipt.generation}, event ${safe(receipt.id)}`,
        );
      } else {
        await printer.value(receipt);
      }
    });
}

async function deletingType(client: EventplaneClient, aggregateType: string): Promise<string> {
  const schemas = await client.schemas();
  const deleting = schemas.filter(({ type, effect }) => effect === "deletes" && type.startsWith(`${aggregateType}.`));
  const [only] = deleting;
  if (only !== undefined && deleting.length === 1) return only.type;
  const why =
    only === undefined ? "has no intent that deletes" : "has several intents that delete; publish one of them";
  throw new EventplaneError("usage", `${aggregateType} ${why}. \`evtctl schema list\` shows them.`);
}
