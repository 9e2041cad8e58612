/** `evtctl key`: API keys of a tenant; needs an admin key. */
import { type Command, InvalidArgumentError } from "commander";
import type { ClientGrant, KeyInfo } from "../../client/index.js";
import { formatUs, parseUs, systemClock } from "../../kernel/index.js";
import { durationSeconds } from "../option-values.js";
import type { Column } from "../output.js";
import type { Shell } from "../shell.js";
import { safe } from "../terminal.js";

const grantNames: readonly string[] = ["publisher", "reader", "subscriber", "admin"] satisfies ClientGrant[];

const columns: readonly Column<KeyInfo>[] = [
  { title: "ID", value: ({ id }) => id },
  { title: "NAME", value: ({ name }) => name },
  { title: "GRANTS", value: ({ grants }) => grants.join(",") },
  { title: "SCOPES", value: ({ scopes }) => scopes?.join(",") ?? "all" },
  { title: "NETWORKS", value: ({ networks }) => networks?.join(",") ?? "any" },
  { title: "CREATED", value: ({ createdAt }) => createdAt },
  { title: "EXPIRES", value: ({ expiresAt }) => expiresAt ?? "never" },
  { title: "REVOKED", value: ({ revokedAt }) => revokedAt ?? "no" },
  { title: "LAST USED", value: ({ lastUsedOn }) => lastUsedOn ?? "never" },
  { title: "REPLACED BY", value: ({ replacedBy }) => replacedBy ?? "" },
];

/** Adds the commands. */
export function register(program: Command, shell: Shell): void {
  const key = program
    .command("key")
    .description("create, list, rotate and revoke API keys")
    .addHelpText(
      "after",
      `
  evtctl key create acme --name ci --grants publisher,reader > ci.key && chmod 600 ci.key
  evtctl key create acme --name shop --grants publisher --scope 'organization.*' --expires 90d --network 192.0.2.0/24 > shop.key
  evtctl key list acme
  evtctl key rotate acme 0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11 --overlap 24h > ci.key
  evtctl key revoke acme 0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11`,
    );
  addCreate(key, shell);
  addRotate(key, shell);
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
    .option("--scope <types...>", "only these: organization.*, organization.create, reader:organization.*")
    .option("--expires <time>", "RFC 3339, or from now on: 90d, 12h", parseExpiry)
    .option("--network <ranges...>", "only from these addresses and ranges: 192.0.2.0/24, 2001:db8::/32")
    .action(
      async (
        tenant: string,
        { name, grants, scope: scopes, expires: expiresAt, network: networks }: CreateOptions,
        command: Command,
      ) => {
        const client = await shell.credentials(command).admin();
        const created = await client.admin.createKey(tenant, {
          name,
          grants,
          ...(scopes === undefined ? {} : { scopes }),
          ...(expiresAt === undefined ? {} : { expiresAt }),
          ...(networks === undefined ? {} : { networks }),
        });
        const printer = shell.printer(command);
        if (printer.format !== "table") return printer.value(created);
        await shell.terminal.line(created.key);
        shell.terminal.note(
          `key ${safe(created.id)} of ${safe(tenant)}; its text is not stored anywhere and not shown again`,
        );
      },
    );
}

function addRotate(key: Command, shell: Shell): void {
  key
    .command("rotate")
    .description("create a key that takes the place of another, which works on for the overlap")
    .argument("<tenant>", "id or slug")
    .argument("<id>", "the old key's id, from `key list`")
    .option("--overlap <duration>", "how long the old one works on: 90s, 30m, 24h, 7d", durationSeconds, 86_400)
    .option(
      "--expires <time>",
      "of the new one: RFC 3339, or from now on: 90d, 12h; default: as the old one",
      parseExpiry,
    )
    .action(
      async (
        tenant: string,
        id: string,
        { overlap, expires }: { overlap: number; expires?: string },
        command: Command,
      ) => {
        const client = await shell.credentials(command).admin();
        const wish = { overlapSeconds: overlap, ...(expires === undefined ? {} : { expiresAt: expires }) };
        const rotated = await client.admin.rotateKey(tenant, id, wish);
        const printer = shell.printer(command);
        if (printer.format !== "table") return printer.value(rotated);
        await shell.terminal.line(rotated.key);
        shell.terminal.note(
          `key ${safe(rotated.id)} of ${safe(tenant)} takes the place of ${safe(id)}, which ends at ${safe(rotated.replacedEndsAt)}`,
        );
      },
    );
}

interface CreateOptions {
  readonly name: string;
  readonly grants: readonly ClientGrant[];
  readonly scope?: readonly string[];
  readonly expires?: string;
  readonly network?: readonly string[];
}

const hourUs = 3_600_000_000;
const unitHours: Readonly<Record<string, number>> = { h: 1, d: 24 };

/** A time as it is, for the edge to check; a duration in hours or days from now on. */
function parseExpiry(text: string): string {
  const [, digits = "", unit = ""] = /^(\d{1,5})([hd])$/.exec(text) ?? [];
  if (digits !== "") return formatUs(systemClock.nowUs() + Number(digits) * (unitHours[unit] ?? 0) * hourUs);
  if (parseUs(text) !== undefined) return text;
  throw new InvalidArgumentError("It is a time such as 2030-01-31T09:30:00Z, or hours or days from now on: 12h, 90d.");
}

function parseGrants(text: string): readonly ClientGrant[] {
  const grants = text.split(",").map((grant) => grant.trim());
  if (grants.every((grant) => grantNames.includes(grant))) return grants as ClientGrant[]; // each is one of the names
  throw new InvalidArgumentError(`Grants are ${grantNames.join(", ")}, with commas between.`);
}
