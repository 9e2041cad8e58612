export { PostgresWorkStore } from "./postgres-work-store.js";
