export type { Cursor } from "./cursor.js";
export {
  type DeclaredTables,
  defineProjection,
  type HandlesOf,
  type Projection,
  type ProjectionConfig,
  type SpecOfType,
} from "./define-projection.js";
export {
  type CounterRow,
  counter,
  documents,
  type GroupRow,
  groupBy,
  latest,
  type Table,
  type ValueRow,
} from "./helper-tables.js";
export {
  MemoryProjectionOverview,
  MemoryProjectionRows,
  MemoryProjectionStore,
  MemoryResourceTable,
} from "./memory/index.js";
export type { ResourceTable } from "./port.js";
export { PositionWaits } from "./position-waits.js";
export {
  assertInstalled,
  endProjectionLeases,
  installProjections,
  installSql,
  PostgresProjectionOverview,
  PostgresProjectionRows,
  PostgresProjectionStore,
  PostgresResourceReader,
  PostgresResourceTable,
  type ResourceListPage,
  type ResourceListQuery,
} from "./postgres/index.js";
export type {
  ProjectionOverview,
  ProjectionStep,
  ProjectionStore,
  ProjectionSummary,
  StoppedTenant,
  TenantProjection,
} from "./projection-port.js";
export {
  type ProjectionOf,
  ProjectionQueries,
  queryAcrossTenants,
  type RowOf,
  type TypedQuery,
} from "./projection-queries.js";
export type { AcrossTenantsPage, ProjectionPage, ProjectionQuery, ProjectionRows } from "./projection-query.js";
export { ProjectionRunner, type ProjectionRunnerOptions } from "./projection-runner.js";
export { PlatformRequests, type ProjectionRequest, projectionRequests } from "./requests.js";
export { ResourcesProjector, type ResourcesProjectorOptions, type StoppedProjection } from "./resources-projector.js";
export type { TableWrites } from "./table-writes.js";
