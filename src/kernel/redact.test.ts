import { describe, expect, test } from "vitest";
import { isSecretName, namesHolding, redactText } from "./redact.js";

test.each([
  "authorization",
  "Authorization",
  "proxy-authorization",
  "password",
  "PGPASSWORD",
  "userPassword",
  "passwordHash",
  "clientSecret",
  "client_secret",
  "token",
  "accessToken",
  "x-auth-token",
  "apiKey",
  "api_key",
  "X-API-Key",
  "apikey",
  "Cookie",
  "set-cookie",
  "privateKey",
  "connectionString",
  "DATABASE_URL",
])("%s is a secret name", (name) => {
  expect(isSecretName(name)).toBe(true);
});

test.each([
  "author",
  "authors",
  "authored_by",
  "keyId",
  "apiKeyId",
  "tokenId",
  "monkey",
  "passenger",
  "tenantId",
  "key",
])("%s is not a secret name", (name) => {
  expect(isSecretName(name)).toBe(false);
});

describe("namesHolding", () => {
  test.each([
    ["email", ["email", "customerEmail", "EMAIL", "e-mail.email", "email_of_ada"], ["emails", "femail", "emailed"]],
    ["auth", ["auth", "authHeader", "x-auth"], ["author", "authors", "authored_by"]],
    [
      "card-number",
      ["cardNumber", "CARD_NUMBER", "cardnumber", "customerCardNumber"],
      ["card", "numberCard", "number"],
    ],
    ["iban", ["IBANCode", "customerIBAN"], ["libanon"]],
    ["straße", ["straße", "kundenStraße"], ["strasse"]],
  ])("%s means whole words in any style", (key, meant, others) => {
    const isMeant = namesHolding([key]);
    expect(meant.filter((name) => !isMeant(name))).toEqual([]);
    expect(others.filter((name) => isMeant(name))).toEqual([]);
  });

  test("a key without a word means nothing", () => {
    expect(namesHolding(["", "--"])("")).toBe(false);
    expect(namesHolding([])("x")).toBe(false);
  });
});

describe("redactText", () => {
  test.each([
    ["API keys", "key epk_0190a_CANARYcanary-1 was used", "key epk_[redacted] was used"],
    ["bearer tokens", "Authorization: Bearer CANARY.canary~x/y=", "Authorization: [redacted]"],
    ["bearer tokens without a header", "sent bearer CANARYcanary now", "sent bearer [redacted] now"],
    ["basic credentials", "got Basic Q0FOQVJZOmNhbmFyeQ==", "got Basic [redacted]"],
    ["JSON Web Tokens", "jwt eyJCANARYCANARY.eyJzdWIiOiJ4In0.c2ln end", "jwt [redacted] end"],
    ["connection strings", "at postgres://app:CANARY@db:5432/x?a=b", "at postgres://[redacted]@db:5432/x?a=b"],
    ["passwords with an @", "postgres://app:CAN@RY@db/x", "postgres://[redacted]@db/x"],
    ["tokens as user names", "https://CANARY@git.example/x", "https://[redacted]@git.example/x"],
    ["key-value strings", "host=db password=CANARY user=u", "host=db password=[redacted] user=u"],
    ["quoted values", "password='CANARY and more' user=u", "password=[redacted] user=u"],
    ["environment text", "PGPASSWORD=CANARY psql", "PGPASSWORD=[redacted] psql"],
    ["queries", "/x?api_key=CANARY&b=1", "/x?api_key=[redacted]&b=1"],
    ["JSON in text", '{"token": "CANARY, CANARY","author":"Ada"}', '{"token": [redacted],"author":"Ada"}'],
    ["JSON in JSON in text", '{\\"secret\\":\\"CANARY\\",\\"a\\":1}', '{\\"secret\\":[redacted],\\"a\\":1}'],
    ["a cut JSON text", '{"secret":"CANARY and no end', '{"secret":[redacted]'],
  ])("takes out %s", (_name, text, expected) => {
    expect(redactText(text)).toBe(expected);
  });

  test("takes out private keys, cut ones too", () => {
    const key = "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----";
    expect(redactText(`a ${key} b`)).toBe("a [redacted] b");
    expect(redactText(`a ${key.slice(0, 40)}`)).toBe("a [redacted]");
  });

  test.each([
    "author: Ada Lovelace",
    "password authentication failed for user app",
    "tenant 0190a000-0000-7000-8000-000000000001 reached position 12",
    "https://example.com/a/b?c=d",
    "mail ada@example.com",
  ])("leaves %j as it is", (text) => {
    expect(redactText(text)).toBe(text);
  });

  test.each(["://", "eyJ", "token", "-----BEGIN PRIVATE KEY-----", "epk_", 'password="', "a", "basic "])(
    "stays fast on 8,000 characters of %j",
    (unit) => {
      const text = unit.repeat(Math.ceil(8_000 / unit.length));
      const before = process.cpuUsage().user;
      redactText(text);
      expect(process.cpuUsage().user - before).toBeLessThan(250_000);
    },
  );
});
