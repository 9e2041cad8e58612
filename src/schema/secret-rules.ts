/**
 * What a secret looks like. The formats are those that the issuers publish; where an issuer gives a range, the shortest form counts.
 *
 * Each rule is anchored on a literal, so that one pass over a text says that nothing is in it. All repetitions are bounded or end at
 * a character that the next attempt starts behind, so no text costs more than its length.
 */

/** The names of all rules, as refusals, metrics and `allowSecrets` use them. */
export const secretRuleNames = [
  "aws-access-key-id",
  "aws-secret-access-key",
  "aws-session-token",
  "connection-string",
  "eventplane-api-key",
  "github-token",
  "gitlab-token",
  "google-api-key",
  "google-oauth-secret",
  "jwt",
  "npm-token",
  "private-key",
  "slack-token",
  "slack-webhook",
  "stripe-key",
  "url-credentials",
  "webhook-signing-secret",
] as const;

/** Name of a rule. */
export type SecretRule = (typeof secretRuleNames)[number];

/** One rule. */
export interface SecretPattern {
  /** A literal without which there is no such secret; found also in JSON text, where strings are still escaped. */
  readonly anchor: RegExp;
  /** The secret in a decoded string; of a member's value in `name=value`. */
  readonly secret: RegExp;
}

/** A password that stands for one: `$NAME`, `${NAME}`, `<password>`, `{password}`, `***`, `xxx`, `%s`. */
const placeholder = String.raw`(?:\$\{?\w+\}?|<[^@;]{1,64}>|\{[^@;]{1,64}\}|\*+|[xX]{3,}|%s|\.{3}|…)`;
const password = String.raw`(?:password|pwd)(?:=| = )(?!${placeholder}(?:[\s;&"']|$))[^\s;&"']{3}`;
const server = String.raw`(?:\b(?:server|data source|host|hostaddr|address)(?:=| = )|jdbc:)`;

/** All rules. */
export const secretRules: Readonly<Record<SecretRule, SecretPattern>> = {
  "aws-access-key-id": {
    anchor: /A(?:KIA|SIA|BIA|CCA)/,
    secret: /(?<![A-Z0-9])A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}(?![A-Z0-9])/,
  },
  "aws-secret-access-key": {
    anchor: /ccess_?[Kk]ey|CCESS_KEY/,
    secret: /secret_?access_?key["']?\s{0,8}(?:=>|[:=])\s{0,8}["']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])/i,
  },
  "aws-session-token": {
    anchor: /IQoJb3JpZ2luX2Vj|FwoGZXIvYXdz/,
    secret: /(?:IQoJb3JpZ2luX2Vj|FwoGZXIvYXdz)[A-Za-z0-9/+%]{64}/,
  },
  "connection-string": {
    anchor: /assword ?=|ASSWORD ?=|[Pp]wd ?=|PWD ?=|ccountKey=|ccessKey=/,
    secret: new RegExp(
      String.raw`${server}[^\n]{0,256}?\b${password}|\b${password}[^\n]{0,256}?${server}` +
        String.raw`|(?:AccountKey|SharedAccessKey)=[A-Za-z0-9/+]{42}`,
      "i",
    ),
  },
  "eventplane-api-key": {
    anchor: /epk_/,
    secret: /epk_[0-9a-f-]{36}_[\w-]{43}/,
  },
  "github-token": {
    anchor: /gh[pousr]_|github_pat_/,
    secret: /gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{36}/,
  },
  "gitlab-token": {
    anchor: /gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|oas|ffct)-|GR1348941/,
    secret: /gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|oas|ffct)-[\w-]{20}|GR1348941[\w-]{20}/,
  },
  "google-api-key": {
    anchor: /AIza/,
    secret: /AIza[\w-]{35}/,
  },
  "google-oauth-secret": {
    anchor: /GOCSPX-|ya29\.|1\/\/0/,
    secret: /GOCSPX-[\w-]{28}|ya29\.[\w-]{20}|1\/\/0[\w-]{40}/,
  },
  jwt: {
    anchor: /\.eyJ/,
    // Looking behind comes after the literal: before it, it would look from every character.
    secret: /\.eyJ(?<=eyJ[\w-]{10,}\.eyJ)[\w-]{10,}\.[\w-]{16}/,
  },
  "npm-token": {
    anchor: /npm_|_auth/,
    secret: /npm_[A-Za-z0-9]{36}|(?<![A-Za-z0-9])_auth(?:Token)?["']?\s{0,4}[:=]\s{0,4}["']?[\w/+=-]{20}/,
  },
  "private-key": {
    anchor: /PRIVATE KEY|AGE-SECRET-KEY-1/,
    secret:
      /-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,120}?[A-Za-z0-9/+]{32}|AGE-SECRET-KEY-1[0-9A-Z]{58}/,
  },
  "slack-token": {
    anchor: /xox[abeoprs]-|xapp-/,
    secret: /xox[abeoprs]-[A-Za-z0-9-]{20}|xapp-\d-[A-Za-z0-9-]{20}/,
  },
  "slack-webhook": {
    anchor: /hooks\.slack\.com\//,
    secret: /hooks\.slack\.com\/(?:services|workflows|triggers)\/[A-Za-z0-9/]{24}/,
  },
  "stripe-key": {
    anchor: /[rs]k_(?:live|test)_/,
    secret: /[rs]k_(?:live|test)_[A-Za-z0-9]{16}/,
  },
  "url-credentials": {
    anchor: /@(?<=:\/\/[^\s/?#"@]{0,256}:[^\s/?#"@]{1,256}@)/,
    secret: new RegExp(String.raw`:\/\/[^\s/?#"@:]{0,256}:(?!${placeholder}@)[^\s/?#"@]{1,256}@[\w[]`),
  },
  "webhook-signing-secret": {
    anchor: /whsec_/,
    secret: /whsec_[A-Za-z0-9/+=]{24}/,
  },
};

/** Whether this names a rule. */
export function isSecretRule(name: string): name is SecretRule {
  return Object.hasOwn(secretRules, name);
}
