/**
 * The database roles of one installation and the SQL that makes them (docs/operating/postgresql-roles.md).
 *
 * One owner URL is enough: its role owns the database and may create roles; it need not be a superuser. Everything can
 * be run again.
 */
import { EventplaneError } from "../../kernel/index.js";
import { scramVerifier } from "./scram.js";

/** The roles that processes log in as, without the prefix. */
export const loginRoles = ["edge", "runtime", "reader", "auditor", "projector", "relay"] as const;
/** One of the roles that processes log in as. */
export type LoginRole = (typeof loginRoles)[number];
/** Passwords of login roles; a role without one keeps what it has. */
export type RolePasswords = Partial<Readonly<Record<LoginRole, string>>>;

const groupRoles = ["owner", "appender", "totals"] as const;
/** Longer names are cut by PostgreSQL. */
const nameCharactersMax = 63;
const prefixForm = /^[a-z][a-z0-9_]{0,39}$/;

/** Plans that hang on nothing but the statement: fresh tables have no statistics, and generic plans survive growth. */
const planSettings: Readonly<Record<string, string>> = {
  plan_cache_mode: "force_generic_plan",
  jit: "off",
  enable_memoize: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  enable_seqscan: "off",
  enable_bitmapscan: "off",
  // On a table of a few pages all indexes cost the same but for their height; what tells them apart is that one needs no sort.
  enable_sort: "off",
};
const shortTimeouts: Readonly<Record<string, string>> = {
  lock_timeout: "2s",
  statement_timeout: "5s",
  idle_in_transaction_session_timeout: "10s",
};
const settingsOf: Readonly<Record<LoginRole, Readonly<Record<string, string>>>> = {
  edge: { ...planSettings, ...shortTimeouts },
  runtime: { ...planSettings, ...shortTimeouts },
  reader: { ...planSettings, ...shortTimeouts, statement_timeout: "30s", default_transaction_read_only: "on" },
  auditor: { ...planSettings, lock_timeout: "2s" },
  projector: { ...planSettings, lock_timeout: "2s" },
  relay: { ...planSettings, lock_timeout: "2s", statement_timeout: "30s" },
};

/**
 * Checks a role prefix: a lower-case SQL name of at most 40 characters.
 *
 * @throws EventplaneError `config_invalid`
 */
export function assertRolePrefix(rolePrefix: string): void {
  if (prefixForm.test(rolePrefix)) return;
  throw new EventplaneError(
    "config_invalid",
    "The role prefix must be lower-case letters, digits and _, begin with a letter and have at most 40 characters.",
    { details: { rolePrefix } },
  );
}

/** The SQL that makes the roles. Passwords enter as SCRAM verifiers, never in clear. */
export function rolesSql(rolePrefix: string, passwords: RolePasswords): string {
  assertRolePrefix(rolePrefix);
  return [
    ...groupRoles.map((name) => createRole(`${rolePrefix}_${name}`, "nologin")),
    ...loginRoles.map((name) => createRole(`${rolePrefix}_${name}`, "login")),
    ...loginRoles.flatMap((name) => roleSettings(`${rolePrefix}_${name}`, settingsOf[name])),
    ...loginRoles.flatMap((name) => passwordOf(`${rolePrefix}_${name}`, passwords[name])),
    // Creating a role does not make one a member of it since PostgreSQL 16; the owner needs both to hand things over.
    `grant ${rolePrefix}_owner to current_user;`,
    `grant ${rolePrefix}_appender, ${rolePrefix}_totals to ${rolePrefix}_owner;`,
    // It becomes the role of one projection for each change, and has the rights of none before.
    `alter role ${rolePrefix}_projector noinherit;`,
    // Temporary functions and tables would be a place for code of one's own.
    "do $$ begin execute format('revoke temporary on database %I from public', current_database()); end $$;",
  ].join("\n");
}

/** The role that the rows of this projection belong to. @throws EventplaneError `config_invalid` when it is too long for a name */
export function projectionRole(rolePrefix: string, projection: string): string {
  const role = `${rolePrefix}_p_${projection}`;
  if (role.length <= nameCharactersMax) return role;
  throw new EventplaneError(
    "config_invalid",
    `The role ${role} of a projection would be longer than ${nameCharactersMax} characters: choose a shorter role prefix or name.`,
  );
}

/** The SQL that makes a role that nobody logs in as. */
export function groupRoleSql(role: string): string {
  return createRole(role, "nologin");
}

/** The SQL that makes schema and table of migrations, after the roles. */
export function schemaSql(rolePrefix: string): string {
  const services = loginRoles.map((name) => `${rolePrefix}_${name}`).join(", ");
  return [
    `create schema if not exists eventplane authorization ${rolePrefix}_owner;`,
    `set local role ${rolePrefix}_owner;`,
    migrationsTable,
    `grant usage on schema eventplane to ${services};`,
    `grant select on eventplane.migrations to ${services};`,
    "reset role;",
  ].join("\n");
}

const migrationsTable = `create table if not exists eventplane.migrations (
  version integer primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default clock_timestamp()
);`;

function createRole(name: string, login: "login" | "nologin"): string {
  return `do $$ begin if not exists (select from pg_roles where rolname = '${name}') then create role ${name} ${login}; end if; end $$;`;
}

function roleSettings(name: string, settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).map(([setting, value]) => `alter role ${name} set ${setting} = '${value}';`);
}

function passwordOf(name: string, password: string | undefined): string[] {
  return password === undefined ? [] : [`alter role ${name} password '${scramVerifier(password)}';`];
}
