export { PostgresReplayProgress } from "./postgres-progress.js";
