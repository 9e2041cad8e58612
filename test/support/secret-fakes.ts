/**
 * Well-formed secrets that open nothing, put together when the test runs, so that no file of this repository holds one.
 */
import { createHash } from "node:crypto";

/** A text with one secret in it. */
export interface SecretFake {
  readonly name: string;
  /** A spec, as JSON. */
  readonly spec: Readonly<Record<string, unknown>>;
  /** The secret itself, which no answer may hold. */
  readonly secret: string;
}

const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const digits = "0123456789";
const alphanumeric = upper + upper.toLowerCase() + digits;
const base64url = `${alphanumeric}-_`;
const hex = `${digits}abcdef`;

/** A source of characters that follow from the seed. */
function bodies(seed: number): (alphabet: string, length: number) => string {
  let block = Buffer.alloc(0);
  let counter = 0;
  let at = 0;
  const byte = (): number => {
    if (at === block.length) {
      block = createHash("sha256").update(`${seed}/${counter++}`).digest();
      at = 0;
    }
    return block[at++] ?? 0;
  };
  return (alphabet, length) => Array.from({ length }, () => alphabet[byte() % alphabet.length]).join("");
}

/** The 41 fakes: the formats of ten issuers, in the places where people put them. */
export function secretFakes(seed: number): readonly SecretFake[] {
  const body = bodies(seed);
  const value = (name: string, secret: string, around: (secret: string) => string = (text) => text): SecretFake => ({
    name,
    secret,
    spec: { settings: [{ label: "x", text: around(secret) }] },
  });
  const member = (name: string, key: string, secret: string): SecretFake => ({
    name,
    secret,
    spec: { settings: { [key]: secret } },
  });
  const awsSecret = (): string => `${body(alphanumeric, 20)}/${body(alphanumeric, 18)}+`;
  const jwt = (alg: string, signature: number): string => {
    const part = (content: object): string => Buffer.from(JSON.stringify(content)).toString("base64url");
    const claims = { sub: body(digits, 10), name: body(alphanumeric, 8), iat: 1_516_239_022 };
    return `${part({ alg, typ: "JWT" })}.${part(claims)}.${body(base64url, signature)}`;
  };
  const pem = (label: string, lines = 12): string => {
    const text = Array.from({ length: lines }, () => body(alphanumeric, 64)).join("\n");
    return `-----${"BEGIN"} ${label}-----\n${text}\n-----${"END"} ${label}-----\n`;
  };
  const password = body(alphanumeric, 16);
  const host = "db.internal.example.com";
  return [
    value("AWS access key id", `AKIA${body(upper, 16)}`),
    value("AWS temporary access key id", `ASIA${body(upper, 16)}`, (id) => `id: ${id}, region: eu-west-1`),
    value(
      "AWS secret access key in a credentials file",
      awsSecret(),
      (key) => `[default]\naws_secret_access_key = ${key}\n`,
    ),
    member("AWS secret access key as a member", "SecretAccessKey", awsSecret()),
    member("AWS secret access key without a word about it", "value", awsSecret()),
    ...["p", "o", "u", "s", "r"].map((kind) => value(`GitHub gh${kind}`, `gh${kind}_${body(alphanumeric, 36)}`)),
    value("GitHub fine-grained", `github_pat_${body(alphanumeric, 22)}_${body(alphanumeric, 59)}`),
    ...["pat", "ptt", "dt", "rt"].map((kind) => value(`GitLab gl${kind}`, `gl${kind}-${body(base64url, 20)}`)),
    value("Slack bot", `xoxb-${body(digits, 12)}-${body(digits, 12)}-${body(alphanumeric, 24)}`),
    value("Slack user", `xoxp-${body(digits, 12)}-${body(digits, 12)}-${body(digits, 12)}-${body(hex, 32)}`),
    value("Slack app", `xapp-1-A${body(upper, 10)}-${body(digits, 13)}-${body(hex, 64)}`),
    value("Slack refresh", `xoxe-1-${body(alphanumeric, 147)}`),
    value("Slack webhook", `T${body(upper, 8)}/B${body(upper, 8)}/${body(alphanumeric, 24)}`, (path) => {
      return `https://hooks.slack.com/${"services"}/${path}`;
    }),
    value("Stripe secret", `sk_live_${body(alphanumeric, 24)}`),
    value("Stripe restricted", `rk_live_${body(alphanumeric, 24)}`),
    value("Stripe webhook", `whsec_${body(alphanumeric, 32)}`),
    member("Google API key", "mapsKey", `AIza${body(base64url, 35)}`),
    member("Google OAuth client secret", "client_secret", `GOCSPX-${body(base64url, 28)}`),
    value("Google OAuth access token", `ya29.${body(base64url, 80)}`, (token) => `Bearer ${token}`),
    value("Google service account", pem("PRIVATE KEY"), (key) =>
      JSON.stringify({ type: "service_account", private_key: key, client_email: "a@b.iam.gserviceaccount.com" }),
    ),
    value("npm", `npm_${body(alphanumeric, 36)}`),
    value(
      "npm in an .npmrc",
      `${body(hex, 8)}-${body(hex, 4)}-4${body(hex, 3)}-8${body(hex, 3)}-${body(hex, 12)}`,
      (id) => {
        return `//registry.npmjs.org/:_authToken=${id}\n`;
      },
    ),
    value("JWT HS256", jwt("HS256", 43)),
    value("JWT RS256 in a header", jwt("RS256", 342), (token) => `Authorization: Bearer ${token}`),
    value("JWT in a URL", jwt("ES256", 86), (token) => `https://app.example.com/in?token=${token}&next=%2F`),
    value("RSA private key", pem("RSA PRIVATE KEY")),
    value("EC private key", pem("EC PRIVATE KEY", 3)),
    value("OpenSSH private key", pem("OPENSSH PRIVATE KEY")),
    value("encrypted private key", pem("ENCRYPTED PRIVATE KEY")),
    value("PostgreSQL", password, (text) => `postgres://app:${text}@${host}:5432/app?sslmode=require`),
    value("MongoDB", password, (text) => `mongodb+srv://app:${text}@${host}/?retryWrites=true`),
    value("Redis without a user", password, (text) => `redis://:${text}@${host}:6379/0`),
    value(
      "SQL Server",
      password,
      (text) => `Server=tcp:${host},1433;Database=app;User Id=app;Password=${text};Encrypt=True`,
    ),
    value("Azure storage", `${body(alphanumeric, 86)}==`, (key) => {
      return `DefaultEndpointsProtocol=https;AccountName=app;AccountKey=${key};EndpointSuffix=core.windows.net`;
    }),
  ];
}
