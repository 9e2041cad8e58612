/**
 * The secrets of webhooks and the names that principals have outside, all made from one key of the plane.
 *
 * Nothing of it is stored: who has the database cannot sign, and who has the key can make every secret again, which is how it is
 * used without having been kept.
 */
import { createHmac, hkdfSync } from "node:crypto";
import { fields, sha256 } from "../kernel/index.js";
import type { WebhookSecretName } from "./definition.js";

const secretDomain = "eventplane.webhook.secret.v1\n";
const pseudonymDomain = "eventplane.webhook.pseudonym.v1\n";
const keyInfo = "eventplane.webhooks.v1";
const pseudonymCharacters = 22;

/** Makes them. */
export class WebhookSecrets {
  readonly #key: Buffer;

  /** @param keyText of the plane's key for webhooks; the same in all of its processes */
  constructor(keyText: string) {
    this.#key = Buffer.from(hkdfSync("sha256", keyText, "", keyInfo, 32));
  }

  /** The secret of one version as Standard Webhooks writes it: `whsec_` and 32 bytes in base64. */
  secret(webhookId: string, version: number): string {
    return `whsec_${this.#mac(secretDomain, webhookId, String(version)).toString("base64")}`;
  }

  /** What an event says of a secret. */
  name(webhookId: string, version: number): WebhookSecretName {
    return { version, hash: sha256(this.secret(webhookId, version)).toString("base64url") };
  }

  /** Whether this process has the key that the secret was made from. */
  knows(webhookId: string, { version, hash }: WebhookSecretName): boolean {
    return this.name(webhookId, version).hash === hash;
  }

  /**
   * What a principal is called towards one receiver: the same in all that is sent to it, and another one towards every other, so that
   * receivers learn neither who it is nor that it is the same.
   */
  pseudonym(webhookId: string, principal: { readonly type: string; readonly id: string }): string {
    const mac = this.#mac(pseudonymDomain, webhookId, principal.type, principal.id);
    return `psn_${mac.toString("base64url").slice(0, pseudonymCharacters)}`;
  }

  #mac(domain: string, ...parts: readonly string[]): Buffer {
    const content = fields(parts.map((part) => Buffer.from(part, "utf8")));
    return createHmac("sha256", this.#key).update(domain).update(content).digest();
  }
}
