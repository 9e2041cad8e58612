import { expect, test } from "vitest";
import { issueKey, readAuthorization, secretMatches, storedHashBytes } from "./credentials.js";

const keyId = "01900000-0000-7000-8000-000000000001";

test("a key opens with its own secret and with no other", () => {
  const { key, secretHash } = issueKey(keyId);
  const stored = storedHashBytes(secretHash);
  const shown = readAuthorization(`Bearer ${key}`);
  expect(shown.keyId).toBe(keyId);
  expect(secretMatches(shown, stored)).toBe(true);
  expect(secretMatches(readAuthorization(`Bearer ${issueKey(keyId).key}`), stored)).toBe(false);
});

test("a key is its id and 256 random bits, and its stored form does not contain them", () => {
  const { key, secretHash } = issueKey(keyId);
  const secret = key.slice(`epk_${keyId}_`.length);
  expect(Buffer.from(secret, "base64url")).toHaveLength(32);
  expect(secretHash).not.toContain(secret);
  expect(issueKey(keyId).key).not.toBe(key);
});

test.each([
  undefined,
  "",
  "Bearer",
  "Bearer epk_",
  "Basic epk_x_y",
  `Bearer epk_${keyId}_short`,
  `Bearer epk_${keyId}_${"A".repeat(44)}`,
  `bearer ${"x".repeat(10_000)}`,
])("the header %s names nobody and opens nothing", (header) => {
  const shown = readAuthorization(header);
  expect(shown.keyId).not.toBe(keyId);
  expect(secretMatches(shown, undefined)).toBe(false);
  expect(secretMatches(shown, storedHashBytes(issueKey(keyId).secretHash))).toBe(false);
});

test("a stored hash that is none is not taken for one", () => {
  expect(storedHashBytes("")).toBeUndefined();
  expect(storedHashBytes("AAAA")).toBeUndefined();
});
