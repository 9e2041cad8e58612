/** All commands by name; each file is loaded when its command is called. */
import { Command, Option } from "commander";
import { packageVersion } from "../plane/index.js";
import { outputFormats } from "./output.js";
import type { Shell } from "./shell.js";

/** Adds one command, with its own subcommands, to the program. */
export type RegisterCommand = (program: Command, shell: Shell) => void;

/** In the order of the help. */
const commandFiles: Readonly<Record<string, () => Promise<{ readonly register: RegisterCommand }>>> = {
  init: () => import("./commands/init.js"),
  dev: () => import("./commands/dev.js"),
  start: () => import("./commands/start.js"),
  demo: () => import("./commands/demo.js"),
  migrate: () => import("./commands/migrate.js"),
  role: () => import("./commands/role.js"),
  publish: () => import("./commands/publish.js"),
  get: () => import("./commands/get.js"),
  describe: () => import("./commands/describe.js"),
  watch: () => import("./commands/watch.js"),
  delete: () => import("./commands/delete.js"),
  read: () => import("./commands/read.js"),
  tail: () => import("./commands/tail.js"),
  explain: () => import("./commands/explain.js"),
  trace: () => import("./commands/trace.js"),
  verify: () => import("./commands/verify.js"),
  tenant: () => import("./commands/tenant.js"),
  key: () => import("./commands/key.js"),
  policy: () => import("./commands/policy.js"),
  quota: () => import("./commands/quota.js"),
  schema: () => import("./commands/schema.js"),
  openapi: () => import("./commands/openapi.js"),
  asyncapi: () => import("./commands/asyncapi.js"),
  "dead-letter": () => import("./commands/dead-letter.js"),
  effect: () => import("./commands/effect.js"),
  webhook: () => import("./commands/webhook.js"),
  replay: () => import("./commands/replay.js"),
  subject: () => import("./commands/subject.js"),
  projection: () => import("./commands/projection.js"),
  controllers: () => import("./commands/controllers.js"),
  intake: () => import("./commands/intake.js"),
  status: () => import("./commands/status.js"),
  doctor: () => import("./commands/doctor.js"),
  config: () => import("./commands/config.js"),
  completion: () => import("./commands/completion.js"),
};

/** The program with those commands that the arguments may mean; with all of them when they name none. */
export async function createProgram(args: readonly string[], shell: Shell): Promise<Command> {
  const program = baseProgram();
  const named = Object.keys(commandFiles).filter((name) => args.includes(name));
  const names = named.length === 0 || named.includes("completion") ? Object.keys(commandFiles) : named;
  for (const name of names) {
    const file = await commandFiles[name]?.();
    file?.register(program, shell);
  }
  return program;
}

function baseProgram(): Command {
  return new Command("evtctl")
    .description("Publish intents, look at what became of them, and run the plane that does it.")
    .addOption(new Option("-o, --output <format>", "form of the result").choices(outputFormats).default("table"))
    .option("--url <url>", "address of the plane (EVENTPLANE_URL)")
    .option("-t, --tenant <tenant>", "id or slug of the tenant (EVENTPLANE_TENANT)")
    .option("--data-dir <folder>", "folder of keys and context (EVENTPLANE_DATA__DIR; default .eventplane)")
    .option("--api-key-stdin", "read the API key from standard input")
    .version(packageVersion())
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .addHelpText(
      "after",
      `
Secrets are never arguments: EVENTPLANE_API_KEY, EVENTPLANE_API_KEY_FILE (mode 0600), --api-key-stdin, or the
context file that \`evtctl dev\` writes.

Exit status: 0 ok, 1 failed, 2 usage, 3 refused, 4 conflict, 5 unavailable, 6 verification failed,
7 not settled within --timeout.

First steps:
  evtctl dev                                          a plane with PostgreSQL, on this machine
  evtctl publish organization.create --spec '{"name":"Acme","plan":"team","region":"eu"}' --watch
  evtctl get organization`,
    );
}
