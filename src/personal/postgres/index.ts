export { PostgresDataKeys } from "./postgres-data-keys.js";
