/** The SQL of an intake's table, for the owner of the application's database. */
import { EventplaneError } from "../../kernel/index.js";
import { intakeCharactersMax } from "../enqueue-intent.js";
import { intakeSchemaDefault, isIdentifier } from "../intake-schema.js";

/** Whom and what an intake's table is for. */
export interface InstallIntakeOptions {
  /** Default `eventplane_intake`. */
  readonly schema?: string;
  /** The application's role: it may insert, and nothing else. */
  readonly appRole?: string;
  /** The plane's role: it may select, update and delete, and nothing else. */
  readonly planeRole?: string;
  /** Notifies the plane at each commit with intents; PostgreSQL lets such commits wait for one another. */
  readonly notify?: boolean;
}

/**
 * The SQL, which may run again and again. It needs no right but to make a schema in the application's own database.
 *
 * @throws EventplaneError `config_invalid` for a name that is none
 */
export function intakeSql(options: InstallIntakeOptions = {}): string {
  const { schema = intakeSchemaDefault, appRole, planeRole, notify = false } = options;
  for (const name of [schema, appRole, planeRole]) {
    if (name !== undefined && !isIdentifier(name))
      throw new EventplaneError("config_invalid", `"${name.slice(0, 80)}" is no plain lower-case name of SQL.`);
  }
  return [
    tableSql(schema),
    ...(appRole === undefined ? [] : [appSql(schema, appRole)]),
    ...(planeRole === undefined ? [] : [planeSql(schema, planeRole)]),
    notify ? notifySql(schema) : `drop trigger if exists intents_notify on "${schema}".intents;`,
  ].join("\n\n");
}

function tableSql(schema: string): string {
  return `-- Intents of this application, which Eventplane takes once they are committed.
create schema if not exists "${schema}";

create table if not exists "${schema}".intents (
  -- What the event's id follows from: unique for ever, also where a backup is restored.
  row_id uuid primary key default gen_random_uuid(),
  -- The order. No index begins with it, so that none leads through rows that were accepted long ago.
  id bigint not null generated always as identity,
  tenant text collate "C" not null check (length(tenant) between 1 and 64),
  principal_type text not null default 'user' check (length(principal_type) between 1 and 64),
  principal_id text not null check (length(principal_id) between 1 and 256),
  intent json not null check (length(intent::text) <= ${intakeCharactersMax}),
  -- Within a stream the order is kept; an intent that names no aggregate has a stream of its own.
  stream text collate "C" not null generated always as (
    left(split_part(intent ->> 'type', '.', 1) || '/' || coalesce(intent ->> 'aggregateId', row_id::text), 256)) stored,
  enqueued_at timestamptz not null default clock_timestamp(),
  state text not null default 'waiting' check (state in ('waiting', 'accepted', 'refused')),
  -- Not before: the end of a lease, or of a wait after a failure.
  due_at timestamptz not null default '-infinity',
  claim uuid,
  attempts integer not null default 0,
  code text,
  message text,
  event_id uuid,
  position bigint,
  decided_at timestamptz
);

create index if not exists intents_in_turn on "${schema}".intents (tenant, id) where state = 'waiting';
create index if not exists intents_of_stream on "${schema}".intents (tenant, stream, id) where state = 'waiting';
create index if not exists intents_refused on "${schema}".intents (id) where state = 'refused';
create index if not exists intents_accepted on "${schema}".intents (decided_at) where state = 'accepted';`;
}

function appSql(schema: string, role: string): string {
  return `grant usage on schema "${schema}" to "${role}";
grant insert (row_id, tenant, principal_type, principal_id, intent) on "${schema}".intents to "${role}";`;
}

function planeSql(schema: string, role: string): string {
  return `grant usage on schema "${schema}" to "${role}";
grant select, update, delete on "${schema}".intents to "${role}";`;
}

function notifySql(schema: string): string {
  return `create or replace function "${schema}".notify() returns trigger language plpgsql set search_path = pg_catalog as $body$
begin
  perform pg_notify('${schema}', '');
  return null;
end
$body$;
create or replace trigger intents_notify after insert on "${schema}".intents
  for each statement execute function "${schema}".notify();`;
}
