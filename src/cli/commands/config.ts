/** `evtctl config show`: every setting, its value and where that comes from; secrets masked. */
import type { Command } from "commander";
import { isEventplaneError } from "../../kernel/errors.js";
import type { Credentials, Sourced } from "../credentials.js";
import { type ServeFlags, serveConfig } from "../serve.js";
import type { Shell } from "../shell.js";

interface Row {
  readonly name: string;
  readonly value: string;
  readonly origin: string;
  readonly environment: string;
}

/** Adds the command. */
export function register(program: Command, shell: Shell): void {
  const config = program.command("config").description("look at the configuration");
  config
    .command("show")
    .description("show every setting with its origin; secrets are masked")
    .addHelpText("after", "\n  evtctl config show\n  PORT=9000 evtctl config show -o yaml")
    .action(async (_options: unknown, command: Command) => {
      const resolved = serveConfig(command.optsWithGlobals<ServeFlags>(), shell).list();
      const rows: Row[] = resolved.map(({ name, shown, origin, environmentName }) => ({
        name,
        value: shown,
        origin,
        environment: environmentName,
      }));
      rows.push(...(await clientRows(shell.credentials(command))));
      await shell.printer(command).list(rows, [
        { title: "SETTING", value: ({ name }) => name },
        { title: "VALUE", value: ({ value }) => (value === "" ? "-" : value) },
        { title: "FROM", value: ({ origin }) => origin },
        { title: "ENVIRONMENT", value: ({ environment }) => environment },
      ]);
    });
}

async function clientRows(credentials: Credentials): Promise<readonly Row[]> {
  const row = (name: string, environment: string, { value, origin }: Sourced): Row => ({
    name,
    value: value ?? "",
    origin,
    environment,
  });
  const masked = async (key: Promise<Sourced>): Promise<Sourced> => {
    try {
      const { value, origin } = await key;
      return { value: value === undefined ? undefined : "epk_****", origin };
    } catch (error) {
      if (!isEventplaneError(error)) throw error;
      return { value: undefined, origin: error.code };
    }
  };
  return [
    row("client.url", "EVENTPLANE_URL", credentials.url()),
    row("client.tenant", "EVENTPLANE_TENANT", credentials.tenant()),
    row("client.api-key", "EVENTPLANE_API_KEY", await masked(credentials.apiKey())),
    row("client.context", "EVENTPLANE_CONTEXT", {
      value: credentials.contextPath,
      origin: credentials.context === undefined ? "absent" : "file",
    }),
  ];
}
