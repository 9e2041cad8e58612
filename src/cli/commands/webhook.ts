/** `evtctl webhook`: events sent to an address, signed; needs an admin key. */
import type { Command } from "commander";
import type {
  DeliveryInfo,
  WebhookClient,
  WebhookFilterInfo,
  WebhookInfo,
  WebhookTestInfo,
  WebhookWish,
} from "../../client/index.js";
import { EventplaneError } from "../../kernel/errors.js";
import { durationSeconds, wholeNumber } from "../option-values.js";
import type { Column } from "../output.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

const columns: readonly Column<WebhookInfo>[] = [
  { title: "ID", value: ({ id }) => id },
  { title: "STATE", value: ({ state, maySend }) => (maySend ? state : `${state} (not allowed)`) },
  { title: "URL", value: ({ url }) => url },
  { title: "FILTER", value: ({ filter }) => filterText(filter) },
  { title: "DESCRIPTION", value: ({ description }) => description ?? "-" },
  { title: "MADE", value: ({ createdAt }) => createdAt },
];

const deliveryColumns: readonly Column<DeliveryInfo>[] = [
  { title: "AT", value: ({ at }) => at },
  { title: "POSITION", value: ({ position }) => position },
  { title: "EVENT", value: ({ eventId }) => eventId },
  { title: "ATTEMPT", value: ({ attempt }) => attempt },
  { title: "RESULT", value: ({ result }) => result },
  { title: "ANSWER", value: ({ status, reason }) => status ?? reason },
  { title: "MS", value: ({ tookMs }) => tookMs },
];

interface CreateFlags {
  readonly description?: string;
  readonly kind?: readonly ("intent" | "fact" | "internal")[];
  readonly type?: readonly string[];
  readonly aggregateType?: readonly string[];
  readonly parallel?: number;
  readonly after?: number;
}

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const webhook = program
    .command("webhook")
    .description("send events to an address, signed, as they are appended")
    .addHelpText(
      "after",
      `
A webhook is sent what the one who made it may subscribe to: make it with a key of the tenant that has the grants admin
and subscriber. Its secret is shown once.

  evtctl webhook create https://hooks.example.com/eventplane --type 'organization.*'
  evtctl webhook test 0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11
  evtctl webhook rotate 0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11 --overlap 1d`,
    );
  addCreate(webhook, shell);
  addLooks(webhook, shell);
  addDeliveries(webhook, shell);
  addChange(webhook, shell, { name: "pause", description: "send nothing until it is resumed", done: "is paused" });
  addChange(webhook, shell, { name: "resume", description: "let it go on where it was", done: "goes on" });
  addRotate(webhook, shell);
  addTest(webhook, shell);
  webhook
    .command("delete")
    .description("end it for good")
    .argument("<id>")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { webhooks, tenant } = await connect(command, shell);
      await webhooks.delete(id, tenant);
      await shell.terminal.line(`webhook ${safe(id)} is deleted`);
    });
}

function addCreate(webhook: Command, shell: Shell): void {
  const several = (value: string, values: readonly string[] = []): readonly string[] => [...values, value];
  webhook
    .command("create")
    .description("make one; its secret is shown this once")
    .argument("<url>", "https address of the receiver")
    .option("--description <text>", "what it is for, for people")
    .option("--kind <kind>", "only intent, fact or internal; may be given again", several)
    .option("--type <type>", "only this type, or types that begin so: 'organization.*'; may be given again", several)
    .option("--aggregate-type <type>", "only events of this aggregate; may be given again", several)
    .option("--parallel <n>", "deliveries under way at once; 1: in order", wholeNumber(1, 8))
    .option("--after <position>", "begin after this position; default: the end of the log", wholeNumber(0))
    .action(async (url: string, flags: CreateFlags, command: Command) => {
      const { webhooks, tenant } = await connect(command, shell);
      const made = await webhooks.create(wishOf(url, flags), tenant);
      const printer = shell.printer(command);
      if (printer.format !== "table") return printer.value(made);
      await shell.terminal.line(made.secret);
      shell.terminal.note(`webhook ${safe(made.id)} signs with this secret, which is not shown again`);
    });
}

function addLooks(webhook: Command, shell: Shell): void {
  webhook
    .command("list")
    .description("list them, oldest first")
    .action(async (_options: unknown, command: Command) => {
      const { webhooks, tenant } = await connect(command, shell);
      await shell.printer(command).list(await webhooks.list(tenant), columns);
    });
  webhook
    .command("show")
    .description("show one")
    .argument("<id>")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { webhooks, tenant } = await connect(command, shell);
      await shell.printer(command).value(await webhooks.get(id, tenant));
    });
}

function addDeliveries(webhook: Command, shell: Shell): void {
  webhook
    .command("deliveries")
    .description("list the last attempts, newest first")
    .argument("<id>")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { webhooks, tenant } = await connect(command, shell);
      await shell.printer(command).list(await webhooks.deliveries(id, tenant), deliveryColumns);
    });
}

function addChange(
  webhook: Command,
  shell: Shell,
  text: { readonly name: "pause" | "resume"; readonly description: string; readonly done: string },
): void {
  webhook
    .command(text.name)
    .description(text.description)
    .argument("<id>")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { webhooks, tenant } = await connect(command, shell);
      const changed = await webhooks[text.name](id, tenant);
      const printer = shell.printer(command);
      if (printer.format === "table") await shell.terminal.line(`webhook ${safe(id)} ${text.done}`);
      else await printer.value(changed);
    });
}

function addRotate(webhook: Command, shell: Shell): void {
  webhook
    .command("rotate")
    .description("give it another secret, shown this once; the one before signs too for a while")
    .argument("<id>")
    .option("--overlap <duration>", "how long: 90s, 30m, 24h, 7d", durationSeconds, 86_400)
    .action(async (id: string, { overlap: overlapSeconds }: { readonly overlap: number }, command: Command) => {
      const { webhooks, tenant } = await connect(command, shell);
      const rotated = await webhooks.rotate(id, { ...tenant, overlapSeconds });
      const printer = shell.printer(command);
      if (printer.format !== "table") return printer.value(rotated);
      await shell.terminal.line(rotated.secret);
      shell.terminal.note(
        `webhook ${safe(id)} signs with both secrets until ${safe(rotated.previousEndsAt)}; this one is not shown again`,
      );
    });
}

function addTest(webhook: Command, shell: Shell): void {
  webhook
    .command("test")
    .description("send a message that says nothing, and show what came of it")
    .argument("<id>")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { webhooks, tenant } = await connect(command, shell);
      const told = await webhooks.test(id, tenant);
      const printer = shell.printer(command);
      if (printer.format !== "table") await printer.value(told);
      else await shell.terminal.line(testText(told));
      if (!told.delivered) throw new EventplaneError("webhook_undelivered", "The test was not delivered.");
    });
}

function testText({ delivered, status, reason, tookMs }: WebhookTestInfo): string {
  const how = status === undefined ? safe(reason ?? "no answer") : `status ${status}`;
  return `${delivered ? "delivered" : "not delivered"}: ${how}, ${tookMs} ms`;
}

function wishOf(url: string, flags: CreateFlags): WebhookWish {
  const { description, kind: kinds, type: types, aggregateType: aggregateTypes, parallel, after } = flags;
  const filter = given({ kinds, types, aggregateTypes });
  return { url, filter, ...given({ description, parallel, after }) };
}

function given<Members extends object>(
  members: Members,
): { [Name in keyof Members]?: Exclude<Members[Name], undefined> } {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Name in keyof Members]?: Exclude<Members[Name], undefined> }; // the others are left out
}

function filterText({ kinds = [], types = [], aggregateTypes = [] }: WebhookFilterInfo): string {
  const parts = [...kinds, ...types, ...aggregateTypes];
  return parts.length === 0 ? "everything" : parts.join(", ");
}

async function connect(
  command: Command,
  shell: Shell,
): Promise<{ readonly webhooks: WebhookClient; readonly tenant: { readonly tenant?: string } }> {
  const credentials = shell.credentials(command);
  const { admin } = await credentials.admin();
  const tenant = credentials.tenant().value;
  return { webhooks: admin.webhooks, tenant: tenant === undefined ? {} : { tenant } };
}
