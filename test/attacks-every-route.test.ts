/**
 * Attacks 1, 4, 5, 14, 16, 18 and 21 over every route that is described, on an edge whose log is looked at; and every answer is one
 * that the OpenAPI document describes, to the last member.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openApiDocument, operations } from "../src/edge/index.js";
import { type Got, type HostileReport, type HostileTarget, hostileTenant, type Sent } from "../src/testing/index.js";
import { AnswerCheck } from "./support/answer-check.js";
import { answerOf, call, type EdgeFixture, startEdge, testApp } from "./support/edge-fixture.js";

/** What would end a line, move a cursor or turn text round. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const dangerous = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
const secretsIn = (keys: Iterable<string>): readonly string[] => [...keys].map((key) => key.slice(-43));

const classes = ["other-tenant", "every-route", "repeats"] as const;

let edge: EdgeFixture;
let report: HostileReport;
const keys = new Set<string>();
const wrong: string[] = [];
const answered = new Map<string, number>();

beforeAll(async () => {
  edge = await startEdge();
  keys.add(edge.adminKey);
  const check = new AnswerCheck(openApiDocument(testApp));
  const onAnswer = (sent: Sent, got: Got): void => {
    const { route, misfits } = check.misfitsOf(sent, got);
    if (route !== undefined) answered.set(route, (answered.get(route) ?? 0) + 1);
    wrong.push(...misfits);
  };
  const victim = [
    { type: "organization.create", aggregateId: "first", spec: { name: "Canary GmbH", plan: "team", region: "eu" } },
  ];
  report = await hostileTenant(targetOf(edge, keys), { victim, classes: [...classes], onAnswer });
}, 180_000);
afterAll(() => edge.close());

describe("every route", () => {
  test("refuses another tenant, no credential, keys without the right, hostile addresses, headers and bodies", () => {
    expect(report.breaches).toEqual([]);
    expect(report.tries["every-route"]).toBeGreaterThan(1_000);
  });

  test("that takes an Idempotency-Key does once what is sent again and again, and refuses other content (attack 9)", () => {
    expect(report.breaches.filter((breach) => breach.class === "repeats")).toEqual([]);
    const keyed = Object.values(operations).filter(({ headers }) => headers?.["idempotency-key"] !== undefined);
    expect(keyed.map(({ id }) => id)).toEqual(expect.arrayContaining(["publish", "createKey", "rotateKey"]));
    expect(report.tries.repeats).toBe(keyed.length);
  });

  test("is attacked, but for those that are open to anybody", () => {
    const protectedRoutes = Object.entries(operations)
      .filter(([, { tag }]) => tag !== "Open")
      .map(([route]) => route);
    expect(protectedRoutes.filter((route) => (answered.get(route) ?? 0) < 3)).toEqual([]);
  });

  test("answers nothing that the OpenAPI document does not describe", () => {
    expect([...new Set(wrong)].slice(0, 20)).toEqual([]);
  });

  test("brings no secret, no canary and no dangerous character to the log, whatever is sent (attacks 14 and 18)", () => {
    const logged = edge.logged();
    for (const secret of [...secretsIn(keys), "Canary", "linnet7"]) expect(logged).not.toContain(secret);
    expect(dangerous.test(logged)).toBe(false);
    for (const line of logged
      .trimEnd()
      .split("\n")
      .filter((each) => each !== ""))
      expect(JSON.parse(line)).toHaveProperty("level");
  });
});

describe("the check of answers turns red on", () => {
  const sent = { method: "GET", path: "/v1/admin/tenants/acme/keys/0190a6f0-11aa-7c44-8e90-aa55bb66cc77" } as const;
  const key =
    operations["GET /v1/admin/tenants/:t/keys/:id"]?.answers[200]?.content?.["application/json"]?.examples["example"] ??
    {};
  const got = (more: Partial<Got>): Got => ({
    status: 200,
    mediaType: "application/json",
    text: "",
    body: JSON.stringify(key),
    ...more,
  });

  test.each<readonly [string, Partial<Got>]>([
    ["a member that nobody described", { body: JSON.stringify({ ...(key as object), secretHash: "x" }) }],
    ["a member of another type", { body: JSON.stringify({ ...(key as object), grants: "admin" }) }],
    ["a status that nobody described", { status: 302 }],
    ["a media type that nobody described", { mediaType: "text/html" }],
    [
      "a code that nobody described",
      { status: 404, mediaType: "application/problem+json", body: '{"code":"disk_full"}' },
    ],
  ])("%s", (_what, more) => {
    const check = new AnswerCheck(openApiDocument(testApp));
    expect(check.misfitsOf(sent, got({})).misfits).toEqual([]);
    expect(check.misfitsOf(sent, got(more)).misfits).not.toEqual([]);
  });
});

/** A target whose keys are remembered. */
function targetOf({ url, adminKey }: EdgeFixture, made: Set<string>): HostileTarget {
  const post = async (path: string, body: unknown): Promise<{ readonly id: string; readonly key: string }> =>
    answerOf(await fetch(`${url}${path}`, call(adminKey, { body })));
  return {
    url,
    createTenant: async (slug) => (await post("/v1/admin/tenants", { slug })).id,
    createKey: async (tenant, wish) => {
      const created = await post(`/v1/admin/tenants/${tenant}/keys`, wish);
      made.add(created.key);
      return created;
    },
  };
}
