/** Gives the whole test run one PostgreSQL: the server at DATABASE_URL (as a superuser), or a cluster of its own. */
import type { TestProject } from "vitest/node";
import { startPostgres } from "./postgres-cluster.js";

declare module "vitest" {
  export interface ProvidedContext {
    postgresUrl: string;
  }
}

/** Starts the server and returns the teardown. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env.DATABASE_URL;
  if (given !== undefined && given !== "") {
    project.provide("postgresUrl", given);
    return async () => {};
  }
  const server = await startPostgres();
  project.provide("postgresUrl", server.superuserUrl);
  return () => server.close();
}
