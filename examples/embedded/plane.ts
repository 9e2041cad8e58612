/**
 * The plane of this process. Whoever imports this module gets it; a framework that loads the module again after a change
 * gets the same plane with the new application, not a second one.
 *
 * Without DATABASE_URL a PostgreSQL of its own starts in `.eventplane`.
 */
import { openPlane } from "eventplane/plane";
import app from "./eventplane.config.js";

const { DATABASE_URL: databaseUrl, NODE_ENV } = process.env;

export const plane = openPlane(
  app,
  databaseUrl === undefined ? {} : { databaseUrl, migrate: NODE_ENV !== "production" },
);
