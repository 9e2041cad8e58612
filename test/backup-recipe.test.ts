/** The commands of docs/how-to/back-up-and-restore.md, run as they stand there by an owner who is no superuser. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { createClient } from "../src/client/index.js";
import { verifyLink } from "../src/event/index.js";
import { PLATFORM_TENANT_ID, systemIds } from "../src/kernel/index.js";
import { KeyEncryptionKeys, PostgresDataKeys } from "../src/personal/index.js";
import { type LoginRole, loginRoles, migrate } from "../src/store/postgres/index.js";
import { testDone } from "../src/testing/index.js";
import { create, inPhase, PlaneFixture, until } from "./support/plane-fixture.js";
import { openInstallation, runAs } from "./support/postgres-installation.js";
import { startPostgres } from "./support/postgres-server.js";

const page = join(import.meta.dirname, "../docs/how-to/back-up-and-restore.md");
const run = promisify(execFile);

/** The two commands of the page that begin with this program, that of the log first, for an installation with this prefix. */
async function recipes(program: string, rolePrefix: string): Promise<readonly [string, string]> {
  const commands = (await readFile(page, "utf8")).match(new RegExp(`^${program}(?:.*\\\\\\n)*.*$`, "gm")) ?? [];
  expect(commands).toHaveLength(2);
  const [log = "", keys = ""] = commands.map((text) => text.replaceAll("--role=eventplane_", `--role=${rolePrefix}_`));
  return [log, keys];
}

test("the documented dump, restored by the documented command, verifies, shows the same resources and goes on", async () => {
  const plane = await PlaneFixture.open({ quota: () => testDone({ members: 3 }) });
  const cluster = await startPostgres();
  const folder = await mkdtemp(join(tmpdir(), "eventplane-backup-"));
  const source = plane.installation;
  try {
    const { rolePrefix, ownerUrl } = source.database;
    const acme = await plane.tenant("acme");
    for (const name of ["a", "b"]) await create(acme, name, { name });
    for (const name of ["a", "b"]) await inPhase(acme, name, "Ready");

    const newOwnerUrl = new URL("/restored", cluster.superuserUrl);
    newOwnerUrl.username = `${rolePrefix}_admin`;
    await runAs(cluster.superuserUrl, `create role ${rolePrefix}_admin login createrole password 'restored'`);
    await runAs(
      cluster.superuserUrl,
      `create database restored owner ${rolePrefix}_admin template template0 encoding 'UTF8'`,
    );
    newOwnerUrl.password = "restored";
    const passwords = Object.fromEntries(
      loginRoles.map((role) => [role, new URL(source.url(role)).password]),
    ) as Record<LoginRole, string>; // one entry a role
    const shell = async (command: string): Promise<unknown> => {
      const PATH = [cluster.binDir, process.env["PATH"]].join(delimiter);
      return run("sh", ["-ec", command], {
        cwd: folder,
        env: { PATH, OWNER_URL: ownerUrl, NEW_OWNER_URL: newOwnerUrl.href },
      });
    };
    // An old dump of the keys beside a new one of the log: whom the log says was erased stays so.
    const { subjects } = createClient({ baseUrl: plane.url, apiKey: plane.adminKey }).admin;
    const keys = new PostgresDataKeys(source.pool("edge"));
    const keks = new KeyEncryptionKeys([plane.personalKey]);
    for (const subject of ["kept", "gone"]) {
      const name = { tenantId: acme.id, subject, keyId: systemIds.uuid4() };
      await keys.add(acme.id, keks.wrap(name, randomBytes(32)));
    }
    const [dumpLog, dumpKeys] = await recipes("pg_dump", rolePrefix);
    await shell(dumpKeys);
    await subjects.erase("gone", { tenant: "acme" });
    const before = [...(await plane.log(acme.id)), ...(await plane.log(PLATFORM_TENANT_ID))];
    await shell(dumpLog);
    await migrate(newOwnerUrl.href, { rolePrefix, passwords });
    for (const restore of await recipes("pg_restore", rolePrefix)) await shell(restore);

    const superuserUrl = new URL("/restored", cluster.superuserUrl).href;
    const database = { superuserUrl, ownerUrl: newOwnerUrl.href, rolePrefix, drop: async () => undefined };
    await plane.moveTo(openInstallation(database, passwords));
    expect([...(await plane.log(acme.id)), ...(await plane.log(PLATFORM_TENANT_ID))]).toEqual(before);
    const left = await until("the sweep", async () => {
      const rows = await plane.installation.asSuperuser<{ subject: string }>(
        "select subject from eventplane.data_keys",
      );
      return rows.length === 1 ? rows : undefined;
    });
    expect(left).toEqual([{ subject: "kept" }]);
    const tenant = { ...acme, client: plane.client("acme", acme.key) };
    for (const name of ["a", "b"]) await inPhase(tenant, name, "Ready");
    await create(tenant, "c", { name: "c" });
    await inPhase(tenant, "c", "Ready");
    const verifier = await plane.verifier();
    let link: ReturnType<typeof verifyLink> | undefined;
    for (const row of await plane.log(acme.id)) {
      link = verifyLink(row, link);
      verifier.verify(row);
    }
    expect(link?.position).toBe(10);
  } finally {
    await plane.close();
    await source.close();
    await cluster.close();
    await rm(folder, { recursive: true, force: true });
  }
});
