/** What the catalog of an installation must say, as one list of what it does not. */
import type { Installation } from "./postgres-installation.js";

/**
 * Every deviation from DESIGN §5: row security, policies, triggers, grants and pinned search paths on every table and
 * every partition. Empty when all is well.
 */
export async function catalogDefects({ asSuperuser, database }: Installation): Promise<readonly string[]> {
  const prefix = database.rolePrefix;
  const results = await Promise.all(checks.map((sql) => asSuperuser<{ defect: string }>(sql, [prefix])));
  return results.flat().map(({ defect }) => defect.replaceAll(prefix, "<prefix>"));
}

const log = `(select 'eventplane.heads'::regclass as relid union select 'eventplane.events' union select relid from pg_partition_tree('eventplane.events'))`;
const services = `array[$1 || '_edge', $1 || '_runtime', $1 || '_reader', $1 || '_auditor', $1 || '_projector', $1 || '_relay']`;

const projections = `(select c.*, n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname like 'projection\\_%')`;

const checks: readonly string[] = [
  // Every table that has a tenant has forced row security.
  `select format('%s: row security is not forced', c.oid::regclass) as defect from pg_class c
   where c.relnamespace = 'eventplane'::regnamespace and c.relkind in ('r', 'p') and $1 <> ''
     and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
     and not (c.relrowsecurity and c.relforcerowsecurity)`,
  // The log has exactly these policies.
  `select format('%s: policy %s is missing or other', t.relid::regclass, w.name) as defect
   from ${log} t cross join (values ('tenant', 'r'), ('owner_backup', 'r'), ('appender_read', 'r'), ('appender_add', 'a')) w (name, command)
   where $1 <> '' and not exists (
     select from pg_policy p where p.polrelid = t.relid and p.polname = w.name and p.polcmd::text = w.command and p.polpermissive
       and case w.name
         when 'tenant' then pg_get_expr(p.polqual, p.polrelid) like '%eventplane.tenant_id%'
           and not exists (select from unnest(p.polroles) r where r = 0 or r::regrole::text not in ($1 || '_edge', $1 || '_runtime', $1 || '_reader', $1 || '_projector', $1 || '_auditor', $1 || '_relay'))
         when 'owner_backup' then p.polroles = array[($1 || '_owner')::regrole::oid]
         else p.polroles = array[($1 || '_appender')::regrole::oid] end)`,
  `select format('%s: policy %s is not known', p.polrelid::regclass, p.polname) as defect from pg_policy p
   where $1 <> '' and p.polrelid in ${log} and p.polname not in ('tenant', 'owner_backup', 'appender_read', 'appender_add')
     and not (p.polrelid = 'eventplane.heads'::regclass and (
       p.polname = 'totals' and p.polcmd = 'r' and p.polroles = array[($1 || '_totals')::regrole::oid]
       or p.polname = 'appender_move' and p.polcmd = 'w' and p.polroles = array[($1 || '_appender')::regrole::oid]
       or p.polname = 'news' and p.polcmd = 'r' and p.polroles <@ array[($1 || '_runtime')::regrole::oid, ($1 || '_projector')::regrole::oid, ($1 || '_relay')::regrole::oid]))`,
  // Update, delete and truncate meet a trigger that fires in every session_replication_role.
  `select format('%s: no trigger that always refuses %s', t.relid::regclass, w.what) as defect
   from ${log} t cross join (values ('update', 16), ('delete', 8), ('truncate', 32)) w (what, bit)
   where $1 <> '' and not (w.what = 'update' and t.relid = 'eventplane.heads'::regclass)
     and not exists (
       select from pg_trigger g where g.tgrelid = t.relid and g.tgenabled = 'A' and g.tgtype::integer & w.bit = w.bit and g.tgtype::integer & 2 = 2
         and g.tgfoid = 'eventplane.refuse_change'::regproc)`,
  // No role of a service may write the log, own anything, or hold a membership.
  `select format('%s: %s may %s', t.relid::regclass, r, w) as defect
   from ${log} t cross join unnest(${services}) r cross join unnest(array['insert', 'update', 'delete', 'truncate', 'references', 'trigger']) w
   where has_table_privilege(r, t.relid, w) or (w in ('insert', 'update', 'references') and has_any_column_privilege(r, t.relid, w))`,
  `select format('%s: a grant on a partition', c.oid::regclass) as defect from pg_class c
   where $1 <> '' and c.relispartition and c.relnamespace = 'eventplane'::regnamespace and c.relkind = 'r'
     and exists (select from aclexplode(c.relacl) x where x.grantee <> c.relowner)`,
  `select format('%s is a member of %s', m.member::regrole, m.roleid::regrole) as defect from pg_auth_members m
   where m.member::regrole::text = any (${services})
     -- It becomes one of these for each change, and has the rights of none before.
     and not (m.member::regrole::text = $1 || '_projector' and m.roleid::regrole::text like $1 || '\\_p\\_%')
   union all select format('%s inherits', rolname) from pg_roles where rolname = $1 || '_projector' and rolinherit`,
  `select format('%s is more than a login', rolname) as defect from pg_roles
   where (rolname = any (${services} || array[$1 || '_appender', $1 || '_totals']) or rolname like $1 || '\\_p\\_%') and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)`,
  `select format('%s may %s', r, w) as defect from unnest(${services}) r cross join unnest(array['create', 'temp']) w
   where has_database_privilege(r, current_database(), w)
   union all select format('%s may create in eventplane', r) from unnest(${services} || ($1 || '_appender')) r
   where has_schema_privilege(r, 'eventplane', 'create')`,
  // Projections: rows under forced row security, each schema for its own role only, sums over tenants without a tenant.
  `select format('%s: row security is not forced', c.oid::regclass) as defect from ${projections} c
   where $1 <> '' and c.relkind = 'r' and not (c.relrowsecurity and c.relforcerowsecurity)`,
  `select format('%s: policy %s is missing or other', c.oid::regclass, w.name) as defect
   from ${projections} c cross join (values ('fold'), ('tenant')) w (name)
   where c.relkind = 'r' and not exists (
     select from pg_policy p where p.polrelid = c.oid and p.polname = w.name and p.polpermissive
       and pg_get_expr(p.polqual, p.polrelid) like '%eventplane.tenant_id%'
       and case w.name
         when 'fold' then p.polroles = array[($1 || '_p_' || substr(c.nspname, 12))::regrole::oid]
           and pg_get_expr(p.polwithcheck, p.polrelid) like '%eventplane.tenant_id%'
         else p.polcmd = 'r'
           and p.polroles <@ array[($1 || '_edge')::regrole::oid, ($1 || '_reader')::regrole::oid, ($1 || '_auditor')::regrole::oid] end)`,
  `select format('%s: policy %s is not known', p.polrelid::regclass, p.polname) as defect from pg_policy p
   join ${projections} c on c.oid = p.polrelid
   where p.polname not in ('fold', 'tenant')
     and not (p.polname = 'totals' and p.polcmd = 'r' and p.polroles = array[($1 || '_totals')::regrole::oid])`,
  `select format('%s: %s may %s', c.oid::regclass, r.rolname, w) as defect
   from ${projections} c cross join pg_roles r cross join unnest(array['select', 'insert', 'update', 'delete', 'truncate']) w
   where c.relkind = 'r' and (r.rolname = any (${services}) or r.rolname like $1 || '\\_p\\_%' or r.rolname = $1 || '_totals')
     and has_table_privilege(r.rolname, c.oid, w)
     and not (r.rolname = $1 || '_p_' || substr(c.nspname, 12) and w <> 'truncate')
     and not (w = 'select' and r.rolname in ($1 || '_edge', $1 || '_reader', $1 || '_auditor', $1 || '_totals'))`,
  `select format('%s: a view that reads with the rights of its owner', c.oid::regclass) as defect from ${projections} c
   where c.relkind = 'v' and not coalesce('security_invoker=true' = any (c.reloptions), false)
     and not (c.relname like '%\\_across\\_tenants' and c.relowner = ($1 || '_totals')::regrole and 'security_barrier=true' = any (c.reloptions))`,
  `select format('%s shows a tenant', a.attrelid::regclass) as defect from pg_attribute a join ${projections} c on c.oid = a.attrelid
   where $1 <> '' and c.relname like '%\\_across\\_tenants' and a.attname = 'tenant_id'`,
  `select format('%s may create in %s', r.rolname, n.nspname) as defect from pg_namespace n cross join pg_roles r
   where n.nspname like 'projection\\_%' and (r.rolname = any (${services}) or r.rolname like $1 || '\\_p\\_%' or r.rolname = $1 || '_totals')
     and has_schema_privilege(r.rolname, n.oid, 'create')`,
  // Functions: no public one, definers pin their search_path, each tier has its own append.
  `select format('%s: public may execute it', p.oid::regprocedure) as defect from pg_proc p
   where $1 <> '' and p.pronamespace = 'eventplane'::regnamespace
     and exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x where x.grantee = 0)`,
  `select format('%s: a definer without a pinned search_path', p.oid::regprocedure) as defect from pg_proc p
   where $1 <> '' and p.pronamespace = 'eventplane'::regnamespace and p.prosecdef
     and not exists (select from unnest(p.proconfig) c where c like 'search_path=%pg_catalog%')`,
  `select format('%s may execute %s', r, p.oid::regprocedure) as defect from pg_proc p cross join unnest(${services}) r
   where p.pronamespace = 'eventplane'::regnamespace and p.proname in ('append_edge', 'append_derived')
     and has_function_privilege(r, p.oid, 'execute')
     and not (p.proname = 'append_edge' and r = $1 || '_edge') and not (p.proname = 'append_derived' and r = $1 || '_runtime')`,
];
