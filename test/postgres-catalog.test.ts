/** The catalog: row security, policies, triggers, grants and search paths on every table and partition (DESIGN §5). */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installProjections } from "../src/projection/index.js";
import { testProjection } from "../src/testing/index.js";
import { catalogDefects } from "./support/catalog-defects.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

for (const partitions of [0, 3]) {
  describe(`the catalog with ${partitions} partitions`, () => {
    let installation: Installation;
    beforeAll(async () => {
      installation = await installEventplane({ partitions });
      const { ownerUrl, rolePrefix } = installation.database;
      const definitions = [testProjection("plans").definition, testProjection("others").definition];
      await installProjections(ownerUrl, { rolePrefix, definitions });
    });
    afterAll(() => installation.close());

    it("has every fence", async () => {
      expect(await catalogDefects(installation)).toEqual([]);
    });

    const table = partitions === 0 ? "eventplane.events" : "eventplane.events_1";
    const planted: readonly (readonly [change: string, undo: string, defect: string])[] = [
      [
        `alter table ${table} no force row level security`,
        `alter table ${table} force row level security`,
        "row security is not forced",
      ],
      [
        `alter table ${table} disable row level security`,
        `alter table ${table} enable row level security`,
        "row security is not forced",
      ],
      [
        `alter policy tenant on ${table} using (true)`,
        `alter policy tenant on ${table} using (tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid)`,
        "policy tenant is missing or other",
      ],
      [`create policy open on ${table} using (true)`, `drop policy open on ${table}`, "policy open is not known"],
      [
        `alter table ${table} enable trigger events_unchanging`,
        `alter table ${table} enable always trigger events_unchanging`,
        "no trigger that always refuses update",
      ],
      [
        `alter table ${table} disable trigger untruncated`,
        `alter table ${table} enable always trigger untruncated`,
        "no trigger that always refuses truncate",
      ],
      [`grant insert on ${table} to :edge`, `revoke insert on ${table} from :edge`, "may insert"],
      [`grant update (spec) on ${table} to :runtime`, `revoke update (spec) on ${table} from :runtime`, "may update"],
      [
        "grant execute on function eventplane.append_derived(text) to :edge",
        "revoke execute on function eventplane.append_derived(text) from :edge",
        "may execute eventplane.append_derived",
      ],
      [
        "alter function eventplane.append_edge(text) reset search_path",
        "alter function eventplane.append_edge(text) set search_path = pg_catalog, pg_temp",
        "without a pinned search_path",
      ],
      [
        "grant execute on function eventplane.append_edge(text) to public",
        "revoke execute on function eventplane.append_edge(text) from public",
        "public may execute it",
      ],
      [
        "grant create on schema eventplane to :reader",
        "revoke create on schema eventplane from :reader",
        "may create in eventplane",
      ],
      ["grant :owner to :edge", "revoke :owner from :edge", "is a member of"],
      ["grant :p_plans to :edge", "revoke :p_plans from :edge", "is a member of"],
      ["alter role :projector inherit", "alter role :projector noinherit", "inherits"],
      [
        "alter table projection_plans.plans_rows no force row level security",
        "alter table projection_plans.plans_rows force row level security",
        "projection_plans.plans_rows: row security is not forced",
      ],
      [
        "alter policy fold on projection_plans.types_totals with check (true)",
        "alter policy fold on projection_plans.types_totals with check (tenant_id = (select nullif(current_setting('eventplane.tenant_id', true), ''))::uuid)",
        "policy fold is missing or other",
      ],
      [
        "create policy open on projection_plans.last_rows using (true)",
        "drop policy open on projection_plans.last_rows",
        "policy open is not known",
      ],
      [
        "grant select on projection_plans.last_rows to :p_others",
        "revoke select on projection_plans.last_rows from :p_others",
        "may select",
      ],
      [
        "grant insert on projection_plans.last_rows to :edge",
        "revoke insert on projection_plans.last_rows from :edge",
        "may insert",
      ],
      [
        "alter view projection_plans.last reset (security_invoker)",
        "alter view projection_plans.last set (security_invoker = true)",
        "reads with the rights of its owner",
      ],
      [
        "grant create on schema projection_plans to :p_plans",
        "revoke create on schema projection_plans from :p_plans",
        "may create in projection_plans",
      ],
    ];
    for (const [change, undo, defect] of planted) {
      it(`turns red on: ${change}`, async () => {
        const named = (sql: string): string =>
          sql.replaceAll(
            /:(edge|runtime|reader|owner|projector|p_plans|p_others)/g,
            `${installation.database.rolePrefix}_$1`,
          );
        await installation.asSuperuser(named(change));
        try {
          expect((await catalogDefects(installation)).join("\n")).toContain(defect);
        } finally {
          await installation.asSuperuser(named(undo));
        }
      });
    }
  });
}
