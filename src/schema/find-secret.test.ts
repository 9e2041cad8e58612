import { performance } from "node:perf_hooks";
import { describe, expect, test } from "vitest";
import type { JsonValue } from "../kernel/index.js";
import { findSecret } from "./find-secret.js";

/** Put together here, so that this file holds no token. */
const token = `ghp_${"aB3".repeat(12)}`;
const keyId = `AKIA${"QRSTUVWX".repeat(2)}`;
const find = (value: JsonValue, allowed: readonly string[] = []): unknown =>
  findSecret(value, { text: JSON.stringify(value), allowed });

describe("a secret in a spec", () => {
  test("is found in the whole, in elements and in members, with the place and the rule", () => {
    expect(find(token)).toEqual({ rule: "github-token", pointer: "" });
    expect(find({ a: [1, { "b/c": token }] })).toEqual({ rule: "github-token", pointer: "/a/1/b~1c" });
  });

  test("in a member's name is given at the object, and its name is shown nowhere", () => {
    expect(find({ a: { [token]: 1 } })).toEqual({ rule: "github-token", pointer: "/a" });
    expect(find({ [token]: { b: keyId } }, ["github-token"])).toEqual({ rule: "aws-access-key-id", pointer: "/…/b" });
  });

  test("is found behind every escape that JSON has", () => {
    const text = `{"a":"\\u0067hp_${token.slice(4)}"}`;
    expect(findSecret(JSON.parse(text) as JsonValue, { text })).toEqual({ rule: "github-token", pointer: "/a" });
    const url = '{"a":"https:\\/\\/ada:lovelace1815@example.com"}';
    expect(findSecret(JSON.parse(url) as JsonValue, { text: url })).toEqual({ rule: "url-credentials", pointer: "/a" });
  });

  test("is found behind a line break, written out or not, and in JSON within a string", () => {
    for (const before of ["\n", "\\n", "\t", '{\\"key\\":\\"']) expect(find({ a: `x${before}${token}` })).toBeDefined();
    expect(find({ a: JSON.stringify({ b: JSON.stringify({ c: token }) }) })).toBeDefined();
  });

  test("passes where its rule is allowed, and others are still found", () => {
    expect(find({ a: token }, ["github-token"])).toBeUndefined();
    expect(find({ a: token, b: keyId }, ["github-token"])).toEqual({ rule: "aws-access-key-id", pointer: "/b" });
  });

  test("whose kind the member's name says is found", () => {
    const key = "aB3/".repeat(10);
    expect(find({ SecretAccessKey: key })).toEqual({ rule: "aws-secret-access-key", pointer: "/SecretAccessKey" });
    expect(find({ digest: key })).toBeUndefined();
  });
});

test.each([
  ["ids and digests", ["0190b7c2-1111-7000-8000-000000000000", "a".repeat(40), "MDEwOlJlcG9zaXRvcnk1NzYyNzIxOQ=="]],
  ["references", ["vault:kv/billing#stripe", "token:0190b7c2"]],
  [
    "prose about secrets",
    ["Tokens begin with ghp_ or sk_live_.", "A PEM file begins with -----BEGIN PRIVATE KEY-----."],
  ],
  ["addresses", ["https://user@example.com", "git@github.com:a/b.git", "http://localhost:3000/a@b", "ada@example.com"]],
  [
    "placeholders in addresses",
    ["postgres://app:${PASSWORD}@db", "mysql://a:<password>@b", "redis://:***@c", "amqp://a:%s@b"],
  ],
  ["placeholders elsewhere", ["Server=db;Password=${PASSWORD};", "//registry.npmjs.org/:_authToken=${NPM_TOKEN}"]],
  ["words that hold an anchor", ["two_factor_authentication", "AKIAN", "The password= field of the host= form"]],
  ["a JWT without a signature", ["eyJhbGciOiJub25lIn0.eyJzdWIiOiIxMjM0NTY3ODkwIn0."]],
])("%s are no secrets", (_, texts) => {
  for (const text of texts) expect(find({ text }), text).toBeUndefined();
});

const hostileBytes = 262_144;
const repeated = (part: string): string => part.repeat(Math.ceil(hostileBytes / part.length)).slice(0, hostileBytes);

test.each([
  "a",
  "A ",
  "é",
  "a=",
  "AKIA",
  "eyJ",
  ".eyJ",
  ".eyJaaaaaaaaaaaa",
  "://",
  "://a:b",
  "@",
  ":@",
  "://a@",
  "host=",
  "password=",
  "password=host",
  "host=password=;",
  `-----${"BEGIN"} PRIVATE KEY-----`,
  `-----${"BEGIN"} ${"A ".repeat(3)}PRIVATE KEY-----`,
  "_authToken=",
  "secretaccesskey = ",
  "hooks.slack.com/services/",
  "${",
  "://a:<",
])("256 KiB of %s take no longer than their length allows", (part) => {
  const value = { text: repeated(part) };
  const from = performance.now();
  find(value);
  expect(performance.now() - from).toBeLessThan(500);
});
