export {
  type EmbeddedPostgres,
  type EmbeddedPostgresLogger,
  type EmbeddedPostgresOptions,
  openEmbeddedPostgres,
} from "./open-embedded-postgres.js";
export type { ServerExit } from "./server.js";
