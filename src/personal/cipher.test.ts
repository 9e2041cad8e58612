import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { isSealed, mayHoldSealed, type TenantId } from "../kernel/index.js";
import { newTenantId } from "../testing/index.js";
import { type DataKey, newSecret, openDataKey, openText, sealText, unwrapSecret, wrapSecret } from "./cipher.js";
import { openIn } from "./sealed-texts.js";

const keyId = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
const eventId = "0190b7c2-1111-7000-8000-000000000000";
const place = { eventId, pointer: "/email" };
const tenantId = newTenantId();
const keyOf = (secret: Uint8Array, tenant: TenantId = tenantId): DataKey =>
  openDataKey({ tenantId: tenant, subject: "cus_1", keyId }, secret);
const secret = newSecret();
const key = keyOf(secret);
const bytesOf = (sealed: string): string => sealed.slice(sealed.lastIndexOf(":") + 1);

test("a value seals to the same bytes at the same place, and to others anywhere else", () => {
  const json = '"ada@example.com"';
  const sealed = sealText(key, place, json);
  expect(isSealed(sealed) && mayHoldSealed(JSON.stringify({ a: sealed }))).toBe(true);
  expect(sealText(keyOf(secret), place, json)).toBe(sealed);
  const others = [
    sealText(key, { ...place, pointer: "/name" }, json),
    sealText(key, { ...place, eventId: "0190b7c2-1111-7000-8000-000000000001" }, json),
    sealText(key, place, '"ada@example.org"'),
    sealText(keyOf(newSecret()), place, json),
  ].map((other) => bytesOf(other).slice(0, 16));
  expect(new Set([bytesOf(sealed).slice(0, 16), ...others]).size).toBe(5);
});

test("only the key of this tenant opens it, and only whole", () => {
  const sealed = bytesOf(sealText(key, place, '"Åda \\u0041"'));
  expect(openText(key, sealed)).toBe('"Åda \\u0041"');
  expect(openText(keyOf(newSecret()), sealed)).toBeUndefined();
  expect(openText(keyOf(secret, newTenantId()), sealed)).toBeUndefined();
  expect(openText(key, `${sealed.startsWith("A") ? "B" : "A"}${sealed.slice(1)}`)).toBeUndefined();
  expect(openText(key, sealed.slice(0, -2))).toBeUndefined();
  expect(openText(key, "AAAA")).toBeUndefined();
});

test("a secret is opened by its key-encryption key for whom it was wrapped", () => {
  const kek = randomBytes(32);
  const wrapped = wrapSecret(kek, key, secret);
  expect(wrapped.byteLength).toBe(60);
  expect(unwrapSecret(kek, key, wrapped)).toEqual(secret);
  expect(wrapSecret(kek, key, secret)).not.toEqual(wrapped);
  expect(unwrapSecret(randomBytes(32), key, wrapped)).toBeUndefined();
  expect(unwrapSecret(kek, { ...key, subject: "cus_2" }, wrapped)).toBeUndefined();
});

test("texts are opened where a whole string is sealed, and nowhere else", () => {
  const sealed = sealText(key, place, '"x\\"y"');
  const inside = JSON.stringify({
    body: JSON.stringify({ a: sealed }),
    b: `Dear ${sealed}`,
    c: `"${sealed}`,
    d: `\\"${sealed}`,
    [sealed]: 1,
  });
  const keys = new Map([[keyId, key]]);
  expect(openIn(inside, { keys })).toBe(inside);
  expect(openIn(inside, { keys: new Map() })).toBe(inside);
  expect(openIn(`{"a":["${sealed}"],"n":1.0}`, { keys })).toBe('{"a":["x\\"y"],"n":1.0}');
  expect(openIn(`{"a":"${sealed}"}`, { keys: new Map() })).toBe('{"a":{"$erased":true}}');
  const forged = `{"a":"sealed:v1:${keyId}:${"A".repeat(60)}"}`;
  expect(openIn(forged, { keys })).toBe(forged);
});
