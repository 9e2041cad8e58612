export { ask, askInTenant, type NamedStatement } from "./ask.js";
export {
  type MigrateOptions,
  type MigrationReport,
  type MigrationStatus,
  migrate,
  migrationStatus,
  runAsOwner,
} from "./migrate.js";
export { translatePgError } from "./pg-error.js";
export { createPool, endPool, type PoolOptions } from "./pool.js";
export { PostgresAppender } from "./postgres-appender.js";
export { PostgresReader } from "./postgres-reader.js";
export { PostgresSnapshots } from "./postgres-snapshots.js";
export { groupRoleSql, type LoginRole, loginRoles, projectionRole, type RolePasswords } from "./roles.js";
export { assertServiceRole } from "./service-role.js";
export { supabaseSql } from "./supabase.js";
