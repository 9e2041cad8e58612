/** What a test asks for when it needs the real server: a fresh database on the shared one, or a cluster of its own. */
import { inject } from "vitest";
import { createDatabase, type TestDatabase } from "./postgres-database.js";

export { type PostgresCluster, startPostgres } from "./postgres-cluster.js";
export type { TestDatabase } from "./postgres-database.js";

/** A fresh database with a fresh owner on the run's shared server; the caller drops it in `afterAll`. */
export function createTestDatabase(): Promise<TestDatabase> {
  return createDatabase(inject("postgresUrl"));
}
