/** The keys of issuers: fetched when they are needed, kept through outages, rotated, and never in a stampede. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { defineAggregate, defineApp } from "../src/controller/index.js";
import { TokenVerifier } from "../src/edge/tokens/token-verifier.js";
import type { TokenIssuer } from "../src/event/index.js";
import { isEventplaneError } from "../src/kernel/index.js";
import { VirtualClock } from "../src/testing/index.js";
import { type IssuerKey, type JwksServer, jwkOf, makeKey, startJwksServer, tokenOf } from "./support/token-issuer.js";

const [one, two] = [makeKey("one"), makeKey("two", "RS256")];

let clock: VirtualClock;
let server: JwksServer;
let verifier: TokenVerifier;
let reported: string[];

beforeEach(async () => {
  clock = new VirtualClock();
  server = await startJwksServer();
  server.serve([jwkOf(one)]);
  reported = [];
  const issuer: TokenIssuer = { ...common, jwksUri: server.uri };
  verifier = new TokenVerifier(new Map([[issuer.issuer, issuer]]), {
    clock,
    report: (name, failure) => void reported.push(`${name} ${failure === undefined ? "can" : "cannot"}`),
  });
});
afterEach(() => server.close());

const common = {
  issuer: "https://id.example.com",
  audience: "eventplane",
  algorithms: ["ES256", "RS256"],
  tenant: "acme",
  grants: ["reader"],
} as const;

/** What becomes of a new token of the key. */
async function outcomeOf(key: IssuerKey): Promise<string> {
  const exp = clock.nowUs() / 1_000_000 + 300;
  try {
    const isTrue = await verifier.verify(
      tokenOf(key, { iss: common.issuer, aud: "eventplane", sub: `s${serial++}`, exp }),
    );
    return isTrue ? "taken" : "refused";
  } catch (error) {
    return isEventplaneError(error) ? error.code : "foreign";
  }
}
let serial = 0;

describe("the keys of an issuer", () => {
  test("are fetched once for all who need them at once, and not again for ten minutes", async () => {
    const outcomes = await Promise.all(Array.from({ length: 200 }, () => outcomeOf(one)));
    expect([new Set(outcomes), server.hits()]).toEqual([new Set(["taken"]), 1]);
    await clock.advance(599_000);
    expect([await outcomeOf(one), server.hits()]).toEqual(["taken", 1]);
  });

  test("that are unknown fetch at most once in 30 s, however many are guessed", async () => {
    expect(await outcomeOf(one)).toBe("taken");
    for (let n = 0; n < 50; n++) expect(await outcomeOf(makeKey(`guess-${n}`))).toBe("refused");
    expect(server.hits()).toBe(1);
    await clock.advance(30_001);
    const outcomes = await Promise.all(Array.from({ length: 50 }, (_, n) => outcomeOf({ ...two, kid: `more-${n}` })));
    expect([new Set(outcomes), server.hits()]).toEqual([new Set(["refused"]), 2]);
  });

  test("rotate: the new one opens at its first token, the one that is gone opens no more", async () => {
    expect(await outcomeOf(one)).toBe("taken");
    await clock.advance(31_000);
    server.serve([jwkOf(two)]);
    expect(await outcomeOf(two)).toBe("taken");
    expect(await outcomeOf(one)).toBe("refused");
  });

  test("of the same kid that are others are used after the next fetch", async () => {
    const other = makeKey("one");
    expect(await outcomeOf(one)).toBe("taken");
    server.serve([jwkOf(other)]);
    expect(await outcomeOf(other)).toBe("refused");
    await clock.advance(601_000);
    await outcomeOf(other);
    await until(async () => (await outcomeOf(other)) === "taken");
    expect(await outcomeOf(one)).toBe("refused");
  });

  test.each<readonly [string, () => void]>([
    ["answers 500", () => server.answer((response) => response.writeHead(500).end())],
    ["cuts the connection", () => server.answer((response) => response.destroy())],
    ["answers no JSON", () => server.answer((response) => response.end("<html>"))],
    ["answers a member twice", () => server.answer((response) => response.end('{"keys":[],"keys":[]}'))],
    ["answers no set of keys", () => server.answer((response) => response.end('{"keys":7}'))],
    ["answers 101 keys", () => server.serve(Array.from({ length: 101 }, () => jwkOf(two)))],
    ["answers a megabyte", () => server.answer((response) => response.end(`{"keys":[]${" ".repeat(1_048_576)}}`))],
    ["sends elsewhere", () => server.answer((response) => response.writeHead(302, { location: server.uri }).end())],
  ])(
    "go on for a day while the server %s, unknown ones are neither taken nor refused, and it heals",
    async (_how, fail) => {
      expect(await outcomeOf(one)).toBe("taken");
      fail();
      await clock.advance(601_000);
      expect(await outcomeOf(one)).toBe("taken");
      expect(await outcomeOf(two)).toBe("unavailable");
      await clock.advance(43_200_000);
      expect(await outcomeOf(one)).toBe("taken");
      await clock.advance(43_200_000);
      expect(await outcomeOf(one)).toBe("unavailable");
      server.serve([jwkOf(one), jwkOf(two)]);
      await clock.advance(31_000);
      expect([await outcomeOf(two), await outcomeOf(one)]).toEqual(["taken", "taken"]);
      expect(reported).toEqual([`${common.issuer} cannot`, `${common.issuer} can`]);
    },
  );

  test("that are secret, of another kind, for encryption or too short are not used", async () => {
    const short = "sMrGmqOcQ1WfSyVvzdPkKqT1SNSQMRoPJbWGxTNt1Fs";
    server.serve([
      { kid: "one", kty: "oct", k: "AAAA" },
      { ...jwkOf(two), kid: "enc", use: "enc" },
      { ...jwkOf(two), kid: "other", alg: "RS512" },
      { kid: "short", kty: "RSA", n: short, e: "AQAB" },
      { kid: "broken", kty: "RSA", n: 7 },
      null,
      "key",
      jwkOf(two),
    ]);
    for (const kid of ["one", "enc", "other", "short", "broken"])
      expect([kid, await outcomeOf({ ...two, kid })]).toEqual([kid, "refused"]);
    expect(await outcomeOf(two)).toBe("taken");
  });
});

test("a verified token is kept for a minute and 10,000 others, not longer", async () => {
  const state = { tenant: () => ({ id: "t", slug: "acme", createdAtUs: 0 }) } as unknown as Parameters<
    TokenVerifier["known"]
  >[1]; // all that is asked
  const exp = clock.nowUs() / 1_000_000 + 50;
  const token = tokenOf(one, { iss: common.issuer, aud: "eventplane", sub: "s", exp });
  expect(verifier.known(token, state)).toBeUndefined();
  expect(await verifier.verify(token)).toBe(true);
  expect(verifier.known(token, state)).toMatchObject({ type: "user" });
  await clock.advance(59_999);
  expect(verifier.known(token, state)).toMatchObject({ type: "user" });
  await clock.advance(1);
  expect(verifier.known(token, state)).toBeUndefined();
  expect(await verifier.verify(token)).toBe(true);
  await clock.advance(20_000);
  // It has ended, leeway included, and is not kept for what is left of the minute.
  expect(verifier.known(token, state)).toBeUndefined();
  expect(await verifier.verify(token)).toBe(false);
});

describe("an issuer cannot be configured", () => {
  const note = defineAggregate("note", {
    spec: { type: "object", properties: {} },
    status: {},
    intents: { create: { creates: true } },
  });
  const good = { ...common, publicKeys: [jwkOf(one)] };
  test.each<readonly [string, object]>([
    ["without a name", { issuer: "" }],
    ["without an audience", { audience: [] }],
    ["with none as algorithm", { algorithms: ["none"] }],
    ["with a symmetric algorithm", { algorithms: ["ES256", "HS256"] }],
    ["without an algorithm", { algorithms: [] }],
    ["without keys", { publicKeys: [] }],
    ["with both kinds of keys", { jwksUri: "https://id.example.com/keys" }],
    ["with a secret key", { publicKeys: [{ kid: "a", kty: "oct", k: "AAAA" }] }],
    ["with a private key", { publicKeys: [{ ...jwkOf(one), d: "AAAA" }] }],
    ["with a key without kid", { publicKeys: [{ kty: "EC" }] }],
    ["with keys over plain HTTP elsewhere", { publicKeys: undefined, jwksUri: "http://id.example.com/keys" }],
    ["with a password in the address", { publicKeys: undefined, jwksUri: "https://a:b@id.example.com/keys" }],
    ["with a file as address", { publicKeys: undefined, jwksUri: "file:///etc/passwd" }],
    ["with a grant that there is not", { grants: ["root"] }],
    ["with roles that grant what there is not", { grants: { claim: "roles", roles: { a: ["root"] } } }],
    ["with a scope that is none", { scopes: ["*"] }],
    ["with an empty list of scopes", { scopes: [] }],
    ["with scopes beside the grant admin", { grants: ["reader", "admin"], scopes: ["note.*"] }],
    ["with a scope of a grant that it never gives", { grants: ["reader"], scopes: ["publisher:note.*"] }],
    ["with a claim and no tenants", { tenant: { claim: "org", tenants: {} } }],
  ])("%s", (_name, wrong) => {
    const issuers = [{ ...good, ...wrong } as TokenIssuer];
    const define = (): unknown => defineApp({ aggregates: [note], controllers: [], authentication: { issuers } });
    expect(define).toThrow(expect.objectContaining({ code: "config_invalid" }));
  });

  test("twice", () => {
    const define = (): unknown =>
      defineApp({ aggregates: [note], controllers: [], authentication: { issuers: [good, good] } });
    expect(define).toThrow(expect.objectContaining({ code: "config_invalid" }));
  });
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let n = 0; n < 100; n++) if (await holds()) return;
  throw new Error("It never came to hold.");
}
