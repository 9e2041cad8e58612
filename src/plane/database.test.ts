/** As whom a service logs in. */
import pg from "pg";
import { expect, it } from "vitest";
import type { RolePasswords } from "../store/postgres/index.js";
import { serviceUrl } from "./database.js";

it.each([
  "postgresql://owner:secret@db:6432/plane?sslmode=disable",
  "postgresql://db:6432/plane?sslmode=disable&user=owner&password=secret",
])("is its role, whoever %s names", (databaseUrl) => {
  const passwords = { edge: "its own" } as RolePasswords; // of the one role that is looked at
  const url = serviceUrl(databaseUrl, "edge", { rolePrefix: "plane", passwords });
  const { user, password, host, port, database } = new pg.Client({ connectionString: url });
  expect({ user, password, host, port, database }).toEqual({
    user: "plane_edge",
    password: "its own",
    host: "db",
    port: 6432,
    database: "plane",
  });
});
