export { PostgresResourceReader, type ResourceListPage, type ResourceListQuery } from "./resource-reader.js";
export { PostgresResourceTable } from "./resource-table.js";
