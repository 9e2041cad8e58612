/** Guessing keys: it is held up where it comes from and under the key's id, counted and recorded, and locks nobody out. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { issueKey } from "../src/edge/index.js";
import { PLATFORM_TENANT_ID, systemIds } from "../src/kernel/index.js";
import {
  answerOf,
  call,
  type EdgeFixture,
  eventually,
  type FixtureTenant,
  refusalsIn,
  startEdge,
} from "./support/edge-fixture.js";

let edge: EdgeFixture;
let acme: FixtureTenant;

beforeEach(async () => {
  edge = await startEdge({ failedAttemptsPerMinute: 20, trustedProxies: ["127.0.0.0/8"] });
  acme = await edge.tenant("acme");
});
afterEach(() => edge.close());

const read = (key: string, from: string): Promise<Response> =>
  fetch(`${edge.url}/v1/tenants/acme/events`, call(key, { headers: { "x-forwarded-for": from } }));
const statuses = async (count: number, key: () => string, from: (n: number) => string): Promise<readonly number[]> => {
  const answers: number[] = [];
  for (let n = 0; n < count; n++) answers.push((await read(key(), from(n))).status);
  return answers;
};
const guess = (): string => issueKey(systemIds.uuid7()).key;
const wrong = (): string => `epk_${acme.keyId}_${guess().slice(-43)}`;

test("from one address is answered 429 with the time to wait, and the right key passes from there and from elsewhere", async () => {
  expect(new Set(await statuses(20, guess, () => "192.0.2.1"))).toEqual(new Set([401]));
  const limited = await read(guess(), "192.0.2.1");
  const problem = await answerOf(limited);
  expect([limited.status, problem.code]).toEqual([429, "rate_limited"]);
  const seconds = Number(limited.headers.get("retry-after"));
  expect(seconds).toBeGreaterThanOrEqual(1);
  expect(seconds).toBeLessThanOrEqual(3);
  expect(problem).toMatchObject({ retryAfterSeconds: seconds });
  expect((await read(guess(), "198.51.100.1")).status).toBe(401);
  for (const from of ["192.0.2.1", "198.51.100.1"]) expect((await read(acme.key, from)).status).toBe(200);
  expect((await read(acme.key.slice(0, -1), "192.0.2.1")).status).toBe(401);
});

test("under one key's id is held up from everywhere, and that key is not locked out from anywhere", async () => {
  expect(new Set(await statuses(20, wrong, (n) => `192.0.2.${n}`))).toEqual(new Set([401]));
  expect(await statuses(5, wrong, (n) => `198.51.100.${n}`)).toEqual([429, 429, 429, 429, 429]);
  for (const from of ["192.0.2.1", "198.51.100.1", "203.0.113.9"])
    expect((await read(acme.key, from)).status).toBe(200);
});

test("of tokens is held up too, without a look at them", async () => {
  const part = Buffer.from('{"alg":"ES256","kid":"k"}').toString("base64url");
  expect(
    new Set(
      await statuses(
        20,
        () => `${part}.${part}.${part}`,
        () => "192.0.2.1",
      ),
    ),
  ).toEqual(new Set([401]));
  expect((await read(`${part}.${part}.${part}`, "192.0.2.1")).status).toBe(429);
});

test("a thousand times at once is looked at as often as a minute allows, counted in the metrics and in sums in the platform's log", async () => {
  const answers = await Promise.all(Array.from({ length: 1_000 }, () => read(guess(), "192.0.2.1")));
  const count = (status: number): number => answers.filter((answer) => answer.status === status).length;
  expect(count(401) + count(429)).toBe(1_000);
  expect(count(401)).toBeGreaterThanOrEqual(20);
  expect(count(401)).toBeLessThanOrEqual(30);
  const metrics = await (await fetch(`${edge.url}/metrics`)).text();
  expect(metrics).toContain(`eventplane_credentials_refused_total{code="unauthenticated"} ${count(401)}`);
  expect(metrics).toContain(`eventplane_credentials_refused_total{code="rate_limited"} ${count(429)}`);
  const recorded = await eventually(async () => {
    const refusals = await refusalsIn(edge.reader, PLATFORM_TENANT_ID);
    return refusals.some(({ code }) => code === "rate_limited") ? refusals : undefined;
  }, "the refusals");
  // The first of each code at once; the sums follow when the minute is over.
  expect(new Map(recorded.map(({ code, count: first }) => [code, first]))).toEqual(
    new Map([
      ["rate_limited", 1],
      ["unauthenticated", 1],
    ]),
  );
  expect(await refusalsIn(edge.reader, acme.id)).toEqual([]);
  expect(edge.logged()).toContain('"network":"192.0.2.0/24"');
  expect(edge.logged()).not.toContain("192.0.2.1");
});
