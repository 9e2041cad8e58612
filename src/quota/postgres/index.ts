export { PostgresAllowances } from "./postgres-allowances.js";
