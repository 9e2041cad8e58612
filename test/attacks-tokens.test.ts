/** Attack 20: tokens that must not open. Each is answered 401 with one body, and nothing of it is anywhere. */
import { createHmac } from "node:crypto";
import { compactVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defineAggregate, defineApp } from "../src/controller/index.js";
import { PLATFORM_TENANT_ID } from "../src/kernel/index.js";
import { routeRequests } from "../src/testing/index.js";
import {
  answerOf,
  call,
  type EdgeFixture,
  eventually,
  type FixtureTenant,
  refusalsIn,
  startEdge,
} from "./support/edge-fixture.js";
import { encode, type IssuerKey, jwkOf, makeKey, signatureOf, tokenOf } from "./support/token-issuer.js";

const issuer = "https://id.example.com";
const [rsa, ec, ed, attacker] = [
  makeKey("rsa-1", "RS256"),
  makeKey("ec-1", "ES256"),
  makeKey("ed-1", "EdDSA"),
  makeKey("ec-1", "ES256"),
];
const note = defineAggregate("note", {
  spec: { type: "object", properties: {}, additionalProperties: true },
  status: {},
  intents: { create: { creates: true } },
});
const memo = defineAggregate("memo", { spec: { type: "object" }, status: {}, intents: { create: { creates: true } } });
const common = { issuer, audience: ["eventplane", "other"], algorithms: ["RS256", "ES256", "EdDSA"] } as const;
const app = defineApp({
  aggregates: [note, memo],
  controllers: [],
  authentication: {
    issuers: [
      {
        ...common,
        publicKeys: [rsa, ec, ed].map(jwkOf),
        tenant: { claim: "org", tenants: { one: "acme", two: "globex", platform: "platform" } },
        grants: { claim: "roles", roles: { editor: ["publisher", "reader"], viewer: ["reader"] } },
      },
      {
        ...common,
        issuer: "https://strict.example.com",
        algorithms: ["ES256"],
        publicKeys: [jwkOf(ec)],
        tenant: "acme",
        grants: ["reader"],
      },
      {
        ...common,
        issuer: "https://narrow.example.com",
        publicKeys: [jwkOf(ed)],
        tenant: "acme",
        grants: ["publisher", "reader"],
        scopes: ["reader:note.*", "publisher:note.create"],
      },
    ],
  },
});
const now = (): number => Math.floor(Date.now() / 1_000);
const claims = (more: object = {}): Record<string, unknown> => ({
  iss: issuer,
  aud: "eventplane",
  sub: "alice@example.com",
  org: "one",
  roles: ["editor"],
  iat: now(),
  exp: now() + 300,
  ...more,
});

let edge: EdgeFixture;
let acme: FixtureTenant;
/** What a wrong API key is answered. */
let theAnswer: Record<string, unknown>;
beforeAll(async () => {
  edge = await startEdge({ app });
  acme = await edge.tenant("acme");
  await edge.tenant("globex");
  const { requestId: _, ...rest } = (await (await read("epk_nonsense")).json()) as Record<string, unknown>; // a problem
  theAnswer = rest;
});
afterAll(() => edge.close());

const read = (token: string, tenant = "acme"): Promise<Response> =>
  fetch(`${edge.url}/v1/tenants/${tenant}/events`, call(token));

describe("a token that says the truth", () => {
  test.each<readonly [string, IssuerKey]>([
    ["RS256", rsa],
    ["ES256", ec],
    ["EdDSA", ed],
  ])("signed with %s opens", async (_algorithm, key) => {
    expect((await read(tokenOf(key, claims()))).status).toBe(200);
    for (const typ of ["JWT", "at+jwt"])
      expect((await read(tokenOf(key, claims(), { alg: key.algorithm, kid: key.kid, typ }))).status).toBe(200);
  });

  test("opens the tenant and the grants that the configuration gives it, and no others", async () => {
    expect((await read(tokenOf(ec, claims()), "globex")).status).toBe(403);
    expect((await read(tokenOf(ec, claims({ org: "two" })), "globex")).status).toBe(200);
    const publish = (token: string): Promise<Response> =>
      fetch(`${edge.url}/v1/tenants/acme/intents`, call(token, { body: { type: "note.create" } }));
    expect((await publish(tokenOf(ec, claims()))).status).toBe(201);
    for (const roles of [["viewer"], "viewer editors", [], undefined, ["__proto__"], "toString"])
      expect([roles, (await publish(tokenOf(ec, claims({ roles })))).status]).toEqual([roles, 403]);
    expect((await publish(tokenOf(ec, claims({ roles: "viewer editor" })))).status).toBe(201);
    const administer = await fetch(`${edge.url}/v1/admin/tenants/acme/keys`, call(tokenOf(ec, claims())));
    expect(administer.status).toBe(403);
  });

  test("does no more than the scopes of its issuer leave of its grants", async () => {
    const token = tokenOf(ed, claims({ iss: "https://narrow.example.com" }));
    const publish = async (type: string): Promise<number> =>
      (await fetch(`${edge.url}/v1/tenants/acme/intents`, call(token, { body: { type } }))).status;
    expect([await publish("note.create"), await publish("memo.create")]).toEqual([201, 403]);
    await fetch(`${edge.url}/v1/tenants/acme/intents`, call(acme.key, { body: { type: "memo.create" } }));
    const { events } = (await (await read(token)).json()) as { events: readonly { type: string }[] }; // a page
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(["note.create"]));
    expect((await fetch(`${edge.url}/v1/tenants/acme/resources/memo`, call(token))).status).toBe(403);
  });

  test("is stamped as an opaque user with the digest of the key, and never with the token or the name", async () => {
    const token = tokenOf(ec, claims());
    const publish = (body: object): Promise<Response> =>
      fetch(`${edge.url}/v1/tenants/acme/intents`, call(token, { body, headers: { "idempotency-key": "by-alice" } }));
    const { id } = await answerOf(await publish({ type: "note.create" }));
    const again = tokenOf(ec, claims({ exp: now() + 600 }));
    const repeated = await fetch(
      `${edge.url}/v1/tenants/acme/intents`,
      call(again, { body: { type: "note.create" }, headers: { "idempotency-key": "by-alice" } }),
    );
    expect([repeated.status, (await answerOf(repeated)).id]).toEqual([200, id]);
    const [row] = await edge.reader.readByIds(acme.id, [id]);
    const causedBy = JSON.parse(row?.causedByText ?? "{}") as { principal: object; keyId: string };
    expect(causedBy).toMatchObject({
      principal: { type: "user", id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      via: "http",
    });
    expect(causedBy.keyId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8/);
    expect(row?.causedByText).not.toMatch(/alice|ec-1|eyJ/);
  });

  test("ends when it says, and its subscription too", async () => {
    const streaming = defineApp({
      aggregates: [note],
      controllers: [],
      authentication: {
        issuers: [{ ...common, publicKeys: [jwkOf(ec)], tenant: "acme", grants: ["reader", "subscriber"] }],
      },
    });
    const other = await edge.another({ app: streaming });
    // Clocks may differ by 30 s, so this one ends in about two seconds.
    const token = tokenOf(ec, claims({ exp: now() - 28 }));
    const open = await fetch(`${other.url}/v1/tenants/acme/subscribe`, call(token));
    expect(open.status).toBe(200);
    expect(await open.text()).toContain('"code":"unauthenticated"');
    expect((await fetch(`${other.url}/v1/tenants/acme/events`, call(token))).status).toBe(401);
  });
});

const header = (more: object = {}): object => ({ alg: "ES256", kid: "ec-1", ...more });
const unsigned = (head: object, payload: unknown = claims()): string => `${encode(head)}.${encode(payload)}.`;
function hmac(secret: string | Buffer): string {
  const signed = `${encode({ alg: "HS256", kid: "rsa-1" })}.${encode(claims())}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}
/** Other text for the same bytes of the signature: 64 bytes leave two bits, 256 leave four, that mean nothing. */
function otherText(token: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const last = alphabet.indexOf(token.slice(-1));
  return token.slice(0, -1) + alphabet[last + 1];
}
/** A signature over exactly these texts. */
function ofTexts(head: string, payload: string, key = ec): string {
  const signed = `${encode(head)}.${encode(payload)}`;
  return `${signed}.${signatureOf(key, signed).toString("base64url")}`;
}
function withSignature(bytes: Uint8Array): string {
  return `${encode(header())}.${encode(claims())}.${Buffer.from(bytes).toString("base64url")}`;
}
const payloadText = (): string => JSON.stringify(claims());

const corpus: readonly (readonly [string, () => string])[] = [
  ...["none", "None", "nOnE", "NONE", ""].flatMap((alg): (readonly [string, () => string])[] => [
    [`alg "${alg}" without a signature`, () => unsigned({ alg, kid: "ec-1" })],
    [`alg "${alg}" with one`, () => tokenOf(ec, claims(), { alg, kid: "ec-1" })],
  ]),
  ["HS256 with the RSA public key as PEM", () => hmac(rsa.publicKey.export({ type: "spki", format: "pem" }))],
  ["HS256 with the RSA public key as DER", () => hmac(rsa.publicKey.export({ type: "spki", format: "der" }))],
  ["HS256 with the RSA modulus", () => hmac(jwkOf(rsa).n ?? "")],
  ["an algorithm that the issuer does not use", () => tokenOf(rsa, claims(), { alg: "PS256", kid: "rsa-1" })],
  ["an algorithm of another issuer", () => tokenOf(rsa, claims({ iss: "https://strict.example.com" }))],
  ["another key of the same kid", () => tokenOf(attacker, claims())],
  ["EdDSA with the kid of an EC key", () => tokenOf(ed, claims(), { alg: "EdDSA", kid: "ec-1" })],
  ["ES256 with the kid of an RSA key", () => tokenOf(ec, claims(), { alg: "ES256", kid: "rsa-1" })],
  ["ES256 with the kid of an Ed25519 key", () => tokenOf(ec, claims(), { alg: "ES256", kid: "ed-1" })],
  ...[
    "../../../../dev/null",
    "/proc/self/environ",
    "' OR 1=1 --",
    "ec-1\u0000",
    "EC-1",
    "__proto__",
    "",
    "x".repeat(257),
  ].map((kid): readonly [string, () => string] => [
    `the kid ${JSON.stringify(kid.slice(0, 24))}`,
    () => tokenOf(ec, claims(), header({ kid })),
  ]),
  ["no kid", () => tokenOf(ec, claims(), { alg: "ES256" })],
  ["a kid that is a number", () => tokenOf(ec, claims(), header({ kid: 1 }))],
  ["jwk in the header, signed by it", () => tokenOf(attacker, claims(), header({ jwk: jwkOf(attacker) }))],
  [
    "jku in the header, signed by the attacker",
    () => tokenOf(attacker, claims(), header({ jku: "https://evil.example/keys" })),
  ],
  ["x5u in the header", () => tokenOf(attacker, claims(), header({ x5u: "https://evil.example/cert" }))],
  ["x5c in the header", () => tokenOf(attacker, claims(), header({ x5c: ["MIIB"] }))],
  [
    "jku in the header, although the issuer signed",
    () => tokenOf(ec, claims(), header({ jku: "https://evil.example/keys" })),
  ],
  ["b64 false", () => tokenOf(ec, claims(), header({ b64: false, crit: ["b64"] }))],
  ["b64 false without crit", () => tokenOf(ec, claims(), header({ b64: false }))],
  ["crit with what nobody knows", () => tokenOf(ec, claims(), header({ crit: ["exp2"], exp2: 1 }))],
  ["an empty crit", () => tokenOf(ec, claims(), header({ crit: [] }))],
  ["a compressed payload", () => tokenOf(ec, claims(), header({ zip: "DEF" }))],
  ["a typ of something else", () => tokenOf(ec, claims(), header({ typ: "dpop+jwt" }))],
  ["a typ that is no text", () => tokenOf(ec, claims(), header({ typ: 1 }))],
  ["expired", () => tokenOf(ec, claims({ exp: now() - 31 }))],
  ["not yet", () => tokenOf(ec, claims({ nbf: now() + 90 }))],
  ["made in the future", () => tokenOf(ec, claims({ iat: now() + 90 }))],
  ["an exp that is a text", () => tokenOf(ec, claims({ exp: String(now() + 300) }))],
  ["an exp of null", () => tokenOf(ec, claims({ exp: null }))],
  ["an nbf that is a text", () => tokenOf(ec, claims({ nbf: "0" }))],
  ["without exp", () => tokenOf(ec, claims({ exp: undefined }))],
  ["without aud", () => tokenOf(ec, claims({ aud: undefined }))],
  ["without iss", () => tokenOf(ec, claims({ iss: undefined }))],
  ["without sub", () => tokenOf(ec, claims({ sub: undefined }))],
  ["an empty sub", () => tokenOf(ec, claims({ sub: "" }))],
  ["a sub that is no text", () => tokenOf(ec, claims({ sub: { a: 1 } }))],
  ["a sub of 257 characters", () => tokenOf(ec, claims({ sub: "s".repeat(257) }))],
  ["a sub with NUL", () => tokenOf(ec, claims({ sub: "alice\u0000" }))],
  ["another aud", () => tokenOf(ec, claims({ aud: "eventplane2" }))],
  ["a list of other auds", () => tokenOf(ec, claims({ aud: ["a", "b"] }))],
  ["an aud with our name in a list in a list", () => tokenOf(ec, claims({ aud: [["eventplane"]] }))],
  ["another iss", () => tokenOf(ec, claims({ iss: "https://evil.example" }))],
  ["an iss with a slash more", () => tokenOf(ec, claims({ iss: `${issuer}/` }))],
  ["an iss that is a list", () => tokenOf(ec, claims({ iss: [issuer] }))],
  ["no tenant", () => tokenOf(ec, claims({ org: undefined }))],
  ["a tenant that the issuer may not name", () => tokenOf(ec, claims({ org: "acme" }))],
  ["the platform as tenant", () => tokenOf(ec, claims({ org: "platform" }))],
  ["a tenant of every object", () => tokenOf(ec, claims({ org: "constructor" }))],
  ["a member twice in the claims", () => ofTexts(JSON.stringify(header()), payloadText().replace("{", '{"exp":1,'))],
  ["a member twice in the header", () => ofTexts('{"alg":"none","alg":"ES256","kid":"ec-1"}', payloadText())],
  ["claims that are a list", () => ofTexts(JSON.stringify(header()), `[${payloadText()}]`)],
  ["claims that are no JSON", () => ofTexts(JSON.stringify(header()), "alice")],
  ["a header that is no JSON", () => ofTexts("ES256", payloadText())],
  ["r and s of zero", () => withSignature(new Uint8Array(64))],
  ["s of zero", () => withSignature(Uint8Array.of(...new Uint8Array(31), 1, ...new Uint8Array(32)))],
  ["an empty signature", () => `${tokenOf(ec, claims()).split(".").slice(0, 2).join(".")}.`],
  ["half a signature", () => tokenOf(ec, claims()).slice(0, -43)],
  [
    "the signature of other claims",
    () =>
      [
        ...tokenOf(ec, claims({ roles: [] }))
          .split(".")
          .slice(0, 2),
        tokenOf(ec, claims()).split(".")[2],
      ].join("."),
  ],
  ["its signature in other base64url", () => otherText(tokenOf(ec, claims()))],
  ["its RSA signature in other base64url", () => otherText(tokenOf(rsa, claims()))],
  ["padding behind it", () => `${tokenOf(ec, claims())}==`],
  ["five segments", () => `${tokenOf(ec, claims())}.aaaa.bbbb`],
  ["two segments", () => tokenOf(ec, claims()).split(".").slice(0, 2).join(".")],
  ["a space in it", () => tokenOf(ec, claims()).replace(".", ". ")],
  ["more than 8,192 characters", () => tokenOf(ec, claims({ more: "m".repeat(8_192) }))],
];

describe("a token with", () => {
  test.each(corpus)("%s is answered as every other wrong credential is", async (_name, make) => {
    const token = make();
    const response = await read(token);
    const text = await response.text();
    const { requestId: _, ...rest } = JSON.parse(text) as Record<string, unknown>;
    expect([response.status, rest]).toEqual([401, theAnswer]);
    expect(response.headers.get("www-authenticate")).toBe('Bearer realm="eventplane"');
    const [, , signature = ""] = token.split(".");
    if (signature.length > 20) expect(text + edge.logged()).not.toContain(signature);
  });

  test("any of that opens no route, whatever it does", async () => {
    const tokens = corpus.map(([name, make]) => [name, make()] as const);
    const opened: string[] = [];
    const requests = routeRequests({ t: "acme", tenant: "acme" }).filter(({ credential }) => credential === "bearer");
    for (const [turn, { route, sent }] of requests.entries()) {
      // Every route meets a fifth of them, every one of them a fifth of the routes.
      const { method, path, body, headers } = sent;
      const init = body === undefined ? {} : { body: String(body) };
      await Promise.all(
        tokens
          .filter((_, index) => index % 5 === turn % 5)
          .map(async ([name, token]) => {
            const response = await fetch(
              `${edge.url}${path}`,
              call(token, { method, headers: headers ?? {}, ...init }),
            );
            if (response.status !== 401) opened.push(`${route} ${name}: ${response.status}`);
            await response.arrayBuffer();
          }),
      );
    }
    expect(opened).toEqual([]);
  });

  test.each([
    "jku in the header, although the issuer signed",
    "a typ of something else",
    "a member twice in the claims",
    "its signature in other base64url",
    "claims that are a list",
    "expired",
    "another aud",
    "without sub",
    "a tenant that the issuer may not name",
  ])("%s is signed well: one who only checks the signature takes it", async (name) => {
    const [, make] = corpus.find(([each]) => each === name) ?? [];
    await expect(compactVerify(make?.() ?? "", ec.publicKey)).resolves.toBeDefined();
  });

  test("any of that is counted in the platform's log, and in no tenant's", async () => {
    await eventually(async () => (await refusalsIn(edge.reader, PLATFORM_TENANT_ID))[0], "a refusal");
    expect((await refusalsIn(edge.reader, acme.id)).filter(({ code }) => code === "unauthenticated")).toEqual([]);
    const all = await edge.reader.read(PLATFORM_TENANT_ID, { limit: 1_000 });
    expect(JSON.stringify(all.map(({ specText, causedByText }) => [specText, causedByText]))).not.toMatch(/alice|eyJ/);
    expect(edge.logged()).not.toMatch(/alice|eyJ/);
  });
});

test("two issuers never speak for each other: the key of one under the name of the other opens nothing", async () => {
  const strict = claims({ iss: "https://strict.example.com", org: undefined, roles: undefined });
  expect((await read(tokenOf(ec, strict))).status).toBe(200);
  for (const key of [rsa, ed]) expect((await read(tokenOf(key, strict))).status).toBe(401);
});
