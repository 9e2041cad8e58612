export { appFileOf, loadConfiguredApp } from "./app-file.js";
export {
  Config,
  type ConfigSources,
  type ResolvedSetting,
  readSecretFile,
  resolveConfig,
  type SettingName,
} from "./config.js";
export { checkServiceDatabase, exportRoles, migrateUp, migrationsOf, supabaseSqlOf } from "./database-admin.js";
export { type ClientContext, contextFile, ensureDevContext, readContext } from "./dev-context.js";
export {
  type IntakeInstallation,
  type IntakeStatus,
  installIntakeOf,
  intakeSqlOf,
  openIntakeTables,
} from "./intake-admin.js";
export { adminKeyFile } from "./key-files.js";
export { explainFromFiles } from "./offline/explain-files.js";
export { packageVersion } from "./package-version.js";
export { type ReferenceName, referenceDocument } from "./reference.js";
export { type RunningPlane, type RunPlaneOptions, runPlane } from "./run-plane.js";
