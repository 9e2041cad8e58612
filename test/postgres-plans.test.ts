/** Plans of the hot statements on fresh tables without statistics, as the roles that run them plan them. */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeCall, encodeOne } from "../src/store/postgres/append-codec.js";
import {
  headStatement,
  idsStatement,
  pageStatement,
  type Statement,
  sharedStatement,
  streamStatement,
} from "../src/store/postgres/read-statements.js";
import {
  appending,
  appendOf,
  createTestSigner,
  creating,
  draftIntent,
  newEventId,
  newTenantId,
  signAppend,
} from "../src/testing/index.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

let installation: Installation;
const tenantId = newTenantId();

beforeAll(async () => {
  installation = await installEventplane();
  const { pathname } = new URL(installation.database.superuserUrl);
  const settings = {
    session_preload_libraries: "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_level": "notice",
  };
  for (const [name, value] of Object.entries(settings)) {
    await installation.asSuperuser(`alter database ${pathname.slice(1)} set ${name} = '${value}'`);
  }
});
afterAll(() => installation.close());

/** The plans of all statements that ran, nested ones included. */
async function plansOf(url: string, statement: Omit<Statement, "name">): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: url });
  const plans: string[] = [];
  client.on("notice", ({ message }) => plans.push(message ?? ""));
  await client.connect();
  try {
    await client.query("select set_config('eventplane.tenant_id', $1, false)", [tenantId]);
    plans.length = 0;
    await client.query(statement.text, [...statement.values]);
    return plans;
  } finally {
    await client.end();
  }
}

/**
 * Names of the indexes that the plans use on the log, and whatever else is done to find rows there. The look-up of the hash
 * before a row has the alias p.
 */
function accessPaths(plans: readonly string[], alias = "(?! p )"): readonly string[] {
  const scan = new RegExp(
    `->\\s+(?:Index (?:Only )?Scan(?: Backward)? using (\\w+) on (?:events|heads)${alias}|((?:Seq|Bitmap \\w+) Scan.* on (?:events|heads)${alias}))`,
    "g",
  );
  const found = plans.flatMap((plan) => [
    ...`->  ${plan
      .split("\n")
      .map((line) => line.trim())
      .join("\n->  ")}`.matchAll(scan),
  ]);
  return [...new Set(found.map((match) => match[1] ?? match[2] ?? ""))].sort();
}

const oneText = `select eventplane.append_edge_one(${Array.from({ length: 20 }, (_, index) => `$${index + 1}`).join(", ")})`;
const byPosition = "events_pkey";
const byId = "events_tenant_id_event_id_key";
const byStream = "events_tenant_id_aggregate_type_aggregate_id_version_key";
const byCorrelation = "events_correlation";
const heads = "heads_pkey";

describe("plans on fresh tables", () => {
  const stream = { aggregateType: "organization", aggregateId: "acme" };
  const times = { recordedFromUs: 1, recordedBeforeUs: 2 };
  const correlationId = newEventId();
  const reads: readonly (readonly [name: string, statement: Statement, indexes: readonly string[]])[] = [
    ["a page forwards", pageStatement(tenantId, {}), [byPosition]],
    ["a page backwards", pageStatement(tenantId, { direction: "backwards" }), [byPosition]],
    ["a page of one type", pageStatement(tenantId, { filter: { type: "organization.create" } }), [byPosition]],
    ["a page between two times", pageStatement(tenantId, { filter: times }), [byPosition, heads]],
    ["a page of a stream", pageStatement(tenantId, { filter: stream }), [byStream]],
    ["a page of a stream backwards", pageStatement(tenantId, { filter: stream, direction: "backwards" }), [byStream]],
    ["a correlation", pageStatement(tenantId, { filter: { correlationId } }), [byCorrelation, byId]],
    [
      "a correlation backwards",
      pageStatement(tenantId, { filter: { correlationId }, direction: "backwards" }),
      [byCorrelation, byId],
    ],
    ["events by id", idsStatement(tenantId, [correlationId]), [byId]],
    ["a stream", streamStatement(tenantId, stream, { afterVersion: 0, limit: 10 }), [byStream]],
    ["what events share", sharedStatement(tenantId, [1, 2]), [byPosition]],
    ["a head", headStatement(tenantId), [heads]],
  ];
  for (const [name, statement, indexes] of reads) {
    it(`${name} reads by ${indexes.join(" and ")}`, async () => {
      const plans = await plansOf(installation.url("reader"), statement);
      expect(accessPaths(plans)).toEqual(indexes);
      expect(accessPaths(plans, " p ")).toEqual(statement.text.includes("events p") ? [byPosition] : []);
    });
  }

  it("append probes ids and streams by their indexes and touches nothing else", async () => {
    const signer = createTestSigner("edge");
    const call = encodeCall([signAppend(signer, appendOf(creating(draftIntent({ tenantId }))))]);
    const plans = await plansOf(installation.url("edge"), {
      text: "select * from eventplane.append_edge($1)",
      values: [call],
    });
    expect(plans.some((plan) => plan.includes("Insert on events"))).toBe(true);
    expect(accessPaths(plans)).toEqual([byStream, byId, heads].sort());
  });

  it("append keeps to these indexes whatever size the log has when a connection plans it", async () => {
    const signer = createTestSigner("edge");
    const [one, other] = [newTenantId(), newTenantId()];
    const stream = (tenant: typeof one, count: number): ReturnType<typeof signAppend> => {
      const first = draftIntent({ tenantId: tenant });
      const more = Array.from({ length: count - 1 }, () =>
        appending(draftIntent({ tenantId: tenant, aggregateId: first.aggregateId })),
      );
      return signAppend(signer, appendOf(creating(first), ...more));
    };
    const seen: (readonly string[])[] = [];
    for (let round = 0; round < 16; round++) {
      for (const call of [stream(round % 2 === 0 ? one : other, 50), stream(one, 1)]) {
        const text = call.items.length === 1 ? oneText : "select eventplane.append_edge($1)";
        const values = call.items.length === 1 ? encodeOne(call) : [encodeCall([call])];
        seen.push(accessPaths(await plansOf(installation.url("edge"), { text, values })));
      }
    }
    expect(new Set(seen.map((paths) => paths.join()))).toEqual(new Set([[byStream, byId, heads].sort().join()]));
  });

  it("the check turns red on a sequential scan", async () => {
    const text = "select e.spec from eventplane.events e where e.spec::text = $1";
    const plans = await plansOf(installation.database.superuserUrl, { text, values: ["x"] });
    expect(accessPaths(plans).join()).toContain("Seq Scan on events");
  });
});
