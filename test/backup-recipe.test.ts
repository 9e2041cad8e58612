/** The two commands of docs/how-to/back-up-and-restore.md, run as they stand there by an owner who is no superuser. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { verifyLink } from "../src/event/index.js";
import { PLATFORM_TENANT_ID } from "../src/kernel/index.js";
import { type LoginRole, loginRoles, migrate } from "../src/store/postgres/index.js";
import { testDone } from "../src/testing/index.js";
import { create, inPhase, PlaneFixture } from "./support/plane-fixture.js";
import { openInstallation, runAs } from "./support/postgres-installation.js";
import { startPostgres } from "./support/postgres-server.js";

const page = join(import.meta.dirname, "../docs/how-to/back-up-and-restore.md");
const run = promisify(execFile);

/** The one command of the page that begins with this program, for an installation with this prefix. */
async function recipe(program: string, rolePrefix: string): Promise<string> {
  const commands = (await readFile(page, "utf8")).match(new RegExp(`^${program}(?:.*\\\\\\n)*.*$`, "gm")) ?? [];
  expect(commands).toHaveLength(1);
  return (commands[0] ?? "").replaceAll("--role=eventplane_", `--role=${rolePrefix}_`);
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
    const before = [...(await plane.log(acme.id)), ...(await plane.log(PLATFORM_TENANT_ID))];

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
    await shell(await recipe("pg_dump", rolePrefix));
    await migrate(newOwnerUrl.href, { rolePrefix, passwords });
    await shell(await recipe("pg_restore", rolePrefix));

    const superuserUrl = new URL("/restored", cluster.superuserUrl).href;
    const database = { superuserUrl, ownerUrl: newOwnerUrl.href, rolePrefix, drop: async () => undefined };
    await plane.moveTo(openInstallation(database, passwords));
    expect([...(await plane.log(acme.id)), ...(await plane.log(PLATFORM_TENANT_ID))]).toEqual(before);
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
    expect(link?.position).toBe(9);
  } finally {
    await plane.close();
    await source.close();
    await cluster.close();
    await rm(folder, { recursive: true, force: true });
  }
});
