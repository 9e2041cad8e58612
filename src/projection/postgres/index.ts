export { assertInstalled, installProjections, installSql } from "./install-projections.js";
export { PostgresProjectionRows } from "./postgres-projection-rows.js";
export { endProjectionLeases, PostgresProjectionStore } from "./postgres-projection-store.js";
export { PostgresProjectionOverview } from "./projection-overview.js";
export { PostgresResourceReader, type ResourceListPage, type ResourceListQuery } from "./resource-reader.js";
export { PostgresResourceTable } from "./resource-table.js";
