export { PostgresProcessRegister, PostgresSystemStatus } from "./postgres-system-status.js";
export { PostgresWorkStore } from "./postgres-work-store.js";
