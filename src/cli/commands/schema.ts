/** `evtctl schema`: the types that the plane takes, those that a tenant registers itself, and TypeScript of them. */
import { readFile, writeFile } from "node:fs/promises";
import type { Command } from "commander";
import type { EventplaneClient, SchemaView, SchemaWish } from "../../client/index.js";
import { EventplaneError, isEventplaneError } from "../../kernel/errors.js";
import type { JsonObject } from "../../kernel/index.js";
import { wholeNumber } from "../option-values.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const schema = program
    .command("schema")
    .description("show the schemas of types, register those of a tenant's own, write TypeScript of them")
    .addHelpText(
      "after",
      `
  evtctl schema list
  evtctl schema show organization.create
  evtctl schema check x-order.placed placed.json
  evtctl schema register x-order.placed placed.json
  evtctl schema generate --out specs.ts`,
    );
  addList(schema, shell);
  addShow(schema, shell);
  addCheck(schema, shell);
  addRegister(schema, shell);
  addGenerate(schema, shell);
}

function addList(schema: Command, shell: Shell): void {
  schema
    .command("list")
    .description("list the types")
    .action(async (_options: unknown, command: Command) => {
      const client = await shell.credentials(command).client();
      await shell.printer(command).list(await client.schemas(), [
        { title: "TYPE", value: ({ type }) => type },
        { title: "VERSION", value: ({ schemaVersion }) => schemaVersion },
        { title: "EFFECT", value: ({ effect }) => effect },
        { title: "REGISTERED", value: ({ registeredAt }) => registeredAt ?? "-" },
        { title: "MEMBERS", value: ({ schema: { properties } }) => Object.keys(properties ?? {}).join(", ") },
      ]);
    });
}

function addShow(schema: Command, shell: Shell): void {
  schema
    .command("show")
    .description("show the JSON Schema of a type")
    .argument("<type>", "as organization.create")
    .argument("[version]", "default: the newest", wholeNumber(1))
    .action(async (type: string, version: number | undefined, _options: unknown, command: Command) => {
      const client = await shell.credentials(command).client();
      const found = version === undefined ? await newest(client, type) : await client.schema(type, version);
      if (found !== undefined) return shell.printer(command).value(found);
      throw new EventplaneError(
        "not_found",
        "This plane takes no intents of this type; `evtctl schema list` shows those that it takes.",
      );
    });
}

interface WishOptions {
  readonly compatibility?: NonNullable<SchemaWish["compatibility"]>;
}

function takesWish(command: Command): Command {
  return command
    .argument("<type>", "begins with x-, as x-order.placed")
    .argument("<file>", "JSON Schema 2020-12")
    .option(
      "--compatibility <mode>",
      "backward, forward, full, each also with _transitive, or none; default as before, at first backward",
    );
}

function addCheck(schema: Command, shell: Shell): void {
  takesWish(schema.command("check"))
    .description("say whether a schema could be the next version of a type; nothing is registered")
    .action(async (type: string, file: string, options: WishOptions, command: Command) => {
      const client = await shell.credentials(command).client();
      const wish = await wishOf(file, options);
      const report = await placed(shell, file, client.checkSchema(type, wish));
      const printer = shell.printer(command);
      if (printer.format !== "table") return printer.value(report);
      for (const reason of report.reasons) shell.terminal.note(`${safe(file)}: ${safe(reason)}`);
      const verdict = report.compatible ? "could be" : "may not be";
      await shell.terminal.line(
        `${safe(type)} ${verdict} version ${report.schemaVersion} (${safe(report.compatibility)})`,
      );
    });
}

function addRegister(schema: Command, shell: Shell): void {
  takesWish(schema.command("register"))
    .description("register a schema as the next version of a type")
    .option("--schema-version <number>", "refuse when it is not this version; default the next one", wholeNumber(1))
    .action(
      async (
        type: string,
        file: string,
        options: WishOptions & { readonly schemaVersion?: number },
        command: Command,
      ) => {
        const client = await shell.credentials(command).client();
        const wish = await wishOf(file, options);
        const version =
          options.schemaVersion ?? (await placed(shell, file, client.checkSchema(type, wish))).schemaVersion;
        const registered = await placed(shell, file, client.registerSchema(type, version, wish));
        const printer = shell.printer(command);
        if (printer.format !== "table") return printer.value(registered);
        await shell.terminal.line(`${safe(type)} version ${version} is in force at every edge within a second`);
      },
    );
}

function addGenerate(schema: Command, shell: Shell): void {
  schema
    .command("generate")
    .description("write TypeScript types of the newest schemas")
    .argument("[types...]", "default: all that the key may see")
    .option("--out <file>", "default: standard output")
    .action(async (types: readonly string[], { out }: { readonly out?: string }, command: Command) => {
      const client = await shell.credentials(command).client();
      const all = await client.schemas();
      const unknown = types.find((type) => all.every((each) => each.type !== type));
      if (unknown !== undefined)
        throw new EventplaneError(
          "not_found",
          `There is no type ${unknown}; \`evtctl schema list\` shows those that there are.`,
        );
      const { typescriptOf } = await import("../schemas/typescript-of.js");
      const text = typescriptOf(types.length === 0 ? all : all.filter(({ type }) => types.includes(type)));
      if (out === undefined) for (const line of text.trimEnd().split("\n")) await shell.terminal.line(safe(line));
      else await writeFile(out, text);
    });
}

async function newest(client: EventplaneClient, type: string): Promise<SchemaView | undefined> {
  return (await client.schemas()).find((schema) => schema.type === type);
}

async function wishOf(file: string, { compatibility }: WishOptions): Promise<SchemaWish> {
  let schema: unknown;
  try {
    schema = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new EventplaneError("usage", `${file} cannot be read as JSON.`, { cause });
  }
  // The edge says what is wrong with anything that is no schema.
  return { schema: schema as JsonObject, ...(compatibility === undefined ? {} : { compatibility }) };
}

/** Every problem is written before the error that names the first of them. */
async function placed<Result>(shell: Shell, file: string, asked: Promise<Result>): Promise<Result> {
  try {
    return await asked;
  } catch (error) {
    const details = isEventplaneError(error) ? error.details : {};
    for (const list of [details["problems"], details["reasons"]])
      if (Array.isArray(list)) for (const each of list) shell.terminal.note(`${safe(file)}: ${safe(String(each))}`);
    throw error;
  }
}
