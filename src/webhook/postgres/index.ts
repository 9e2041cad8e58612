export { PostgresDeliveries } from "./postgres-deliveries.js";
