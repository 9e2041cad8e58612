export { PostgresRelayStore, type PostgresRelayStoreOptions } from "./postgres-relay-store.js";
