import { beforeAll, describe, expect, test } from "vitest";
import { type TenantId } from "../../kernel/index.js";
import { basePolicies } from "./base-policies.js";
import { Cedar } from "./cedar.js";
import { entitiesOf } from "./entities.js";
import { PolicyCheck } from "./policy-check.js";
import { policySetOf } from "./policy-set.js";
import { policyLimits } from "./policy-text.js";

const own = "01900000-0000-7000-8000-00000000000a" as TenantId;
const question = entitiesOf({
  principal: { type: "service", id: "p", tenantId: own, grants: new Set(["reader"]) },
  action: "Read",
  tenantId: own,
  resource: "tenant",
});
const policy = (id: string, condition: string): string =>
  `@id("${id}") permit (principal, action, resource) when { ${condition} };`;
const readers = policySetOf(basePolicies);

let cedar: Cedar;
let check: PolicyCheck;

beforeAll(() => {
  cedar = new Cedar();
  check = new PolicyCheck(cedar);
});

describe("the check of a policy file", () => {
  test("says everything that does not fit the schema, each with its place in the file", async () => {
    const file = [
      policy("fine", "principal.isOfPlatform"),
      "",
      `   ${policy("misspelt", "principal.isOfPlattform")}`,
      policy("optional", 'resource.area == "keys"'),
      policy("typed", 'principal.grants == "reader"'),
      '@id("action") permit (principal, action == Eventplane::Action::"Reed", resource);',
      '@id("syntax") permit (principal, action, resource) when { 1 + };',
    ].join("\n");
    const { policies, problems } = await check.check(file);
    expect(policies).toEqual(["fine", "misspelt", "optional", "typed", "action", "syntax"]);
    expect(problems.map(({ policy: id, line }) => [id, line])).toEqual([
      ["misspelt", 3],
      ["optional", 4],
      ["typed", 5],
      ["action", 6],
      ["syntax", 7],
    ]);
    const at = (file.split("\n")[2] ?? "").indexOf("principal.isOfPlattform") + 1;
    expect(problems[0]).toMatchObject({ column: at, message: expect.stringContaining("isOfPlatform") });
  });

  test("takes an attribute that not every resource has, once it is asked for", async () => {
    const file = policy("careful", 'resource has area && resource.area == "keys"');
    expect(await check.check(file)).toEqual({ policies: ["careful"], problems: [], warnings: [] });
  });

  test("warns of a policy that can never hold", async () => {
    const { problems, warnings } = await check.check(policy("never", "false"));
    expect([problems, warnings.length]).toEqual([[], 1]);
  });

  test("tells whoever comes when many wait to come again", async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 30 }, () => check.check(policy("x", "true"))));
    const busy = outcomes.filter(({ status }) => status === "rejected");
    expect(busy.length).toBe(10);
    expect(busy[0]).toMatchObject({ reason: { code: "busy" } });
    expect((await check.check(policy("x", "true"))).problems).toEqual([]);
  });
});

/** Shapes that grow an engine's stack, or its work, as large as the bounds let them be. */
const shapes: readonly (readonly [string, (size: number) => string])[] = [
  ["brackets", (size) => `${"(".repeat(size)}true${")".repeat(size)}`],
  ["sets in sets", (size) => `${"[".repeat(size)}1${"]".repeat(size)} == [1]`],
  ["negations", (size) => `${"!(".repeat(size)}true${")".repeat(size)}`],
  ["conjunctions", (size) => Array(size).fill("true").join(" && ")],
  ["sums", (size) => `${Array(size).fill("1").join("+")} > 0`],
  ["alternatives", (size) => `${"if principal.isOfPlatform then true else ".repeat(size)}true`],
  ["members", (size) => `principal${".tenant".repeat(size)} == resource.tenant`],
  ["patterns", (size) => `principal.type like "${"*a".repeat(size)}*b"`],
  ["ranges", (size) => Array(size).fill('ip("1.2.3.4").isInRange(ip("1.0.0.0/8"))').join(" && ")],
  ["brackets around sums", (size) => `${"(".repeat(20)}${Array(size).fill("1").join("+")}${")".repeat(20)} > 0`],
  [
    "alternatives in brackets",
    (size) => `${"(if principal.isOfPlatform then true else ".repeat(size)}true${")".repeat(size)}`,
  ],
];

/** The largest of its shape that the bounds let through. */
async function largest(shape: (size: number) => string): Promise<string> {
  let [low, high] = [1, 5_000];
  while (high - low > 1) {
    const size = Math.floor((low + high) / 2);
    const { problems } = await check.check(policy("bomb", shape(size)));
    if (problems.some(({ message }) => /at most|more than/.test(message))) high = size;
    else low = size;
  }
  return policy("bomb", shape(low));
}

describe("attack: policies that are to break the engine or to keep it busy", () => {
  test.each(shapes)(
    "%s, as large as they may be, are taken or refused, and ruled on in no time",
    async (_name, shape) => {
      const text = await largest(shape);
      const { problems } = await check.check(text);
      for (const { message } of problems) expect(message).not.toContain("cannot take this policy");
      const set = policySetOf({ ...basePolicies, "tenant/bomb": text });
      expect(cedar.decide(set, question).failure ?? "").not.toMatch(/Error|broke down/);
      const startMs = performance.now();
      for (let n = 0; n < 20; n++) cedar.decide(set, question);
      expect((performance.now() - startMs) / 20).toBeLessThan(50);
      expect(cedar.decide(readers, question).allowed).toBe(true);
    },
    60_000,
  );

  test("beyond the bounds break the engine, which is why there are bounds; it is replaced, and others notice nothing", () => {
    const text = policy("bomb", `${"(".repeat(200)}true${")".repeat(200)}`);
    const set = policySetOf({ ...basePolicies, "tenant/bomb": text });
    expect(cedar.decide(set, question)).toEqual({ allowed: false, policies: [], failure: "RuntimeError" });
    expect(cedar.decide(readers, question)).toEqual({ allowed: true, policies: ["readers-read"] });
    expect(cedar.decide(set, question).failure).toMatch(/broke down on this policy set before/);
    expect(cedar.check("bomb", text).errors).toEqual([{ at: 0, message: "The engine cannot take this policy." }]);
    expect(cedar.decide(readers, question).allowed).toBe(true);
  });

  test("a whole file at all its bounds is checked a policy a turn, so that others go on meanwhile", async () => {
    const file = Array.from({ length: policyLimits.policiesMax }, (_, n) =>
      policy(`p${n}`, Array(5).fill("(resource has type && resource has area)").join(" || ")),
    ).join("\n");
    let turns = 0;
    const checking = check.check(file).then(({ problems }) => problems);
    let problems: unknown;
    void checking.then((found) => {
      problems = found;
    });
    while (problems === undefined) {
      turns++;
      await new Promise(setImmediate);
    }
    expect(problems).toEqual([]);
    expect(turns).toBeGreaterThan(policyLimits.policiesMax / 2);
  });
});
