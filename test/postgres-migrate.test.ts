/** Migrations and roles from one owner URL, and what a service refuses to start on. */

import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isEventplaneError } from "../src/kernel/index.js";
import { assertServiceRole, createPool, migrate, migrationStatus } from "../src/store/postgres/index.js";
import { scramVerifier } from "../src/store/postgres/scram.js";
import { type Installation, installEventplane, runAs } from "./support/postgres-installation.js";
import { createTestDatabase, startPostgres } from "./support/postgres-server.js";

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
    return "none";
  } catch (error) {
    return isEventplaneError(error) ? error.code : String(error);
  }
};

describe("migrate", () => {
  it("prints its SQL in a dry run and changes nothing", async () => {
    const database = await createTestDatabase();
    try {
      const { ownerUrl, rolePrefix } = database;
      const report = await migrate(ownerUrl, { rolePrefix, dryRun: true, passwords: { edge: "very-secret" } });
      expect(report.sql).toContain("create table eventplane.events");
      expect(report.sql).toContain(`create role ${rolePrefix}_edge login`);
      expect(report.sql).not.toContain("very-secret");
      expect(report.sql).not.toContain(":prefix");
      const names = await runAs(ownerUrl, "select nspname from pg_namespace where nspname = 'eventplane'");
      const roles = await runAs(ownerUrl, "select rolname from pg_roles where rolname = $1", [`${rolePrefix}_edge`]);
      expect([names, roles]).toEqual([[], []]);
      expect(await migrationStatus(ownerUrl)).toMatchObject({ version: 0, applied: [] });
    } finally {
      await database.drop();
    }
  });

  it("run twice, and by two at once, applies every migration once", async () => {
    const database = await createTestDatabase();
    try {
      const { ownerUrl, rolePrefix } = database;
      const reports = await Promise.all([migrate(ownerUrl, { rolePrefix }), migrate(ownerUrl, { rolePrefix })]);
      const { version, wanted, pending } = await migrationStatus(ownerUrl);
      expect({ version, pending }).toEqual({ version: wanted, pending: [] });
      const applied = reports.flatMap(({ migrations }) => migrations.map((migration) => migration.version));
      expect([...applied].sort((a, b) => a - b)).toEqual([...new Set(applied)].sort((a, b) => a - b));
      expect((await migrate(ownerUrl, { rolePrefix })).migrations).toEqual([]);
    } finally {
      await database.drop();
    }
  });

  it("refuses a changed migration, a newer schema and another prefix", async () => {
    const installation = await installEventplane();
    const { ownerUrl, rolePrefix } = installation.database;
    try {
      expect(await codeOf(migrate(ownerUrl, { rolePrefix: "other" }))).toBe("config_invalid");
      await installation.asSuperuser("update eventplane.migrations set checksum = 'x' where version = 1");
      expect(await codeOf(migrate(ownerUrl, { rolePrefix }))).toBe("migration_changed");
      expect(await codeOf(migrationStatus(ownerUrl))).toBe("migration_changed");
      await installation.asSuperuser(
        "insert into eventplane.migrations (version, name, checksum) values (9999, 'later', 'x')",
      );
      await installation.asSuperuser("delete from eventplane.migrations where version = 1");
      expect(await codeOf(migrate(ownerUrl, { rolePrefix }))).toBe("schema_too_new");
      expect(await codeOf(assertServiceRole(installation.pool("edge")))).toBe("schema_too_new");
      await installation.asSuperuser("delete from eventplane.migrations where version > 1");
      expect(await codeOf(assertServiceRole(installation.pool("edge")))).toBe("migration_needed");
    } finally {
      await installation.close();
    }
  });

  it("and services refuse a database that is not in UTF-8", async () => {
    const database = await createTestDatabase();
    const name = `${database.rolePrefix}_latin`;
    const owner = new URL(database.ownerUrl);
    owner.pathname = `/${name}`;
    try {
      const sql = `create database ${name} encoding 'SQL_ASCII' locale 'C' template template0`;
      await runAs(database.ownerUrl, sql);
      expect(await codeOf(migrate(owner.href, { rolePrefix: database.rolePrefix }))).toBe("database_unsupported");
      await runAs(owner.href, `create role ${database.rolePrefix}_edge login password 'p'`);
      const edge = new URL(owner.href);
      edge.username = `${database.rolePrefix}_edge`;
      edge.password = "p";
      const pool = createPool(edge.href);
      expect(await codeOf(assertServiceRole(pool))).toBe("database_unsupported");
      await pool.end();
    } finally {
      await runAs(database.superuserUrl, `drop database if exists ${name} with (force)`);
      await database.drop();
    }
  });

  it("refuses an owner who may not create roles, an unreachable server and a bad prefix or password", async () => {
    const installation = await installEventplane();
    try {
      expect(await codeOf(migrate(installation.url("edge"), { rolePrefix: installation.database.rolePrefix }))).toBe(
        "database_role_unsafe",
      );
      expect(await codeOf(migrate("postgres://x:y@127.0.0.1:1/none", {}))).toBe("database_unreachable");
      expect(await codeOf(migrate(installation.database.ownerUrl, { rolePrefix: "Robert'); --" }))).toBe(
        "config_invalid",
      );
      expect(
        await codeOf(
          migrate(installation.database.ownerUrl, {
            rolePrefix: installation.database.rolePrefix,
            passwords: { edge: "é" },
          }),
        ),
      ).toBe("config_invalid");
    } finally {
      await installation.close();
    }
  });

  it("sends no password in clear: the verifier is that of RFC 7677", () => {
    const salt = Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64");
    expect(scramVerifier("pencil", salt)).toBe(
      "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
    );
  });
});

describe("a service refuses to start", () => {
  let installation: Installation;
  beforeAll(async () => {
    installation = await installEventplane();
  });
  afterAll(() => installation.close());

  async function startOn(url: string): Promise<string> {
    const pool: pg.Pool = createPool(url, { connectionsMax: 1 });
    try {
      return await codeOf(assertServiceRole(pool));
    } finally {
      await pool.end();
    }
  }

  it("not as edge, runtime, reader, auditor or projector", async () => {
    for (const role of ["edge", "runtime", "reader", "auditor", "projector"] as const) {
      expect(await startOn(installation.url(role))).toBe("none");
    }
  });

  it("as superuser or as owner", async () => {
    expect(await startOn(installation.database.superuserUrl)).toBe("database_role_unsafe");
    expect(await startOn(installation.database.ownerUrl)).toBe("database_role_unsafe");
  });

  for (const attribute of ["bypassrls", "createrole", "superuser"]) {
    it(`with ${attribute}`, async () => {
      const role = `${installation.database.rolePrefix}_edge`;
      await installation.asSuperuser(`alter role ${role} ${attribute}`);
      try {
        expect(await startOn(installation.url("edge"))).toBe("database_role_unsafe");
      } finally {
        await installation.asSuperuser(`alter role ${role} no${attribute}`);
      }
    });
  }

  for (const group of [":prefix_owner", ":prefix_appender", "pg_write_all_data", "superuser"]) {
    it(`with a membership in ${group.replace(":prefix", "")}`, async () => {
      const prefix = installation.database.rolePrefix;
      const name = group === "superuser" ? `${prefix}_boss` : group.replace(":prefix", prefix);
      if (group === "superuser") await installation.asSuperuser(`create role ${name} superuser`);
      await installation.asSuperuser(`grant ${name} to ${prefix}_edge`);
      try {
        expect(await startOn(installation.url("edge"))).toBe("database_role_unsafe");
      } finally {
        await installation.asSuperuser(`revoke ${name} from ${prefix}_edge`);
        if (group === "superuser") await installation.asSuperuser(`drop role ${name}`);
      }
      expect(await startOn(installation.url("edge"))).toBe("none");
    });
  }

  it("as a superuser who has set the role of a service", async () => {
    const url = new URL(installation.database.superuserUrl);
    url.searchParams.set("options", `-c role=${installation.database.rolePrefix}_edge`);
    expect(await startOn(url.href)).toBe("database_role_unsafe");
  });

  it("with a grant to write the log's tables", async () => {
    const role = `${installation.database.rolePrefix}_edge`;
    await installation.asSuperuser(`grant insert on eventplane.events to ${role}`);
    try {
      expect(await startOn(installation.url("edge"))).toBe("database_role_unsafe");
    } finally {
      await installation.asSuperuser(`revoke insert on eventplane.events from ${role}`);
    }
  });

  it("on a database without Eventplane, and on one that is not there", async () => {
    const database = await createTestDatabase();
    try {
      const url = new URL(installation.url("edge"));
      url.pathname = new URL(database.ownerUrl).pathname;
      expect(await startOn(url.href)).toBe("migration_needed");
    } finally {
      await database.drop();
    }
    const url = new URL(installation.url("edge"));
    url.port = "1";
    expect(await startOn(url.href)).toBe("unavailable");
  });

  it("with synchronous_commit off for its role", async () => {
    const role = `${installation.database.rolePrefix}_edge`;
    await installation.asSuperuser(`alter role ${role} set synchronous_commit = off`);
    try {
      expect(await startOn(installation.url("edge"))).toBe("database_not_durable");
    } finally {
      await installation.asSuperuser(`alter role ${role} reset synchronous_commit`);
    }
  });

  for (const setting of ["fsync", "full_page_writes"]) {
    it(`with ${setting} off on the server`, async () => {
      const cluster = await startPostgres({ config: { [setting]: "off" } });
      try {
        const other = await installEventplane({ serverUrl: cluster.superuserUrl });
        expect(await startOn(other.url("edge"))).toBe("database_not_durable");
        await other.close();
      } finally {
        await cluster.close();
      }
    });
  }
});
