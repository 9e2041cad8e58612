/** The senders' own libraries sign; ours must believe exactly what they signed. */
import { createHash, createHmac, generateKeyPairSync, sign as signBytes } from "node:crypto";
import { sign as githubSign } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";
import { describe, expect, it } from "vitest";
import type { DeliveryVerifier } from "../event/index.js";
import { deliveryWindowSeconds, githubWebhooks, hmacWebhooks, standardWebhooks, stripeWebhooks } from "./index.js";

const nowMs = 1_764_000_000_000;
const seconds = nowMs / 1_000;
const body = '{"id":"evt_1Q","type":"invoice.paid","amount":12.50,"who":"é"}';
const secret = "a secret of more than 16 bytes";
const standardSecret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

/** A signed delivery of each scheme, by the sender's own library where there is one. */
interface Signed {
  readonly verifier: DeliveryVerifier;
  readonly secret: string;
  readonly known: string;
  readonly headers: (at?: number) => Promise<Record<string, string>>;
  /** The header that holds the signature. */
  readonly signature: string;
  readonly isTimed: boolean;
}

const ed25519 = generateKeyPairSync("ed25519");
const publicKey = `whpk_${ed25519.publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("base64")}`;
const bodyHash = createHash("sha256").update(body).digest("hex");

const schemes: Readonly<Record<string, Signed>> = {
  "Standard Webhooks v1": {
    verifier: standardWebhooks(),
    secret: standardSecret,
    known: "msg_1",
    headers: async (at = seconds) => ({
      "webhook-id": "msg_1",
      "webhook-timestamp": String(at),
      "webhook-signature": new Webhook(standardSecret).sign("msg_1", new Date(at * 1_000), body),
    }),
    signature: "webhook-signature",
    isTimed: true,
  },
  "Standard Webhooks v1a": {
    verifier: standardWebhooks(),
    secret: publicKey,
    known: "msg_1",
    headers: async (at = seconds) => ({
      "webhook-id": "msg_1",
      "webhook-timestamp": String(at),
      "webhook-signature": `v1a,${signBytes(null, Buffer.from(`msg_1.${at}.${body}`), ed25519.privateKey).toString("base64")}`,
    }),
    signature: "webhook-signature",
    isTimed: true,
  },
  GitHub: {
    verifier: githubWebhooks(),
    secret,
    known: bodyHash,
    headers: async () => ({ "x-hub-signature-256": await githubSign(secret, body), "x-github-delivery": "any" }),
    signature: "x-hub-signature-256",
    isTimed: false,
  },
  Stripe: {
    verifier: stripeWebhooks(),
    secret,
    known: "evt_1Q",
    headers: async (at = seconds) => ({
      "stripe-signature": new Stripe("sk_test_none").webhooks.generateTestHeaderString({
        payload: body,
        secret,
        timestamp: at,
      }),
    }),
    signature: "stripe-signature",
    isTimed: true,
  },
  "an HMAC with a time": {
    verifier: hmacWebhooks({ header: "x-signature", encoding: "base64", timestampHeader: "x-time" }),
    secret,
    known: bodyHash,
    headers: async (at = seconds) => ({
      "x-time": String(at),
      "x-signature": createHmac("sha256", secret).update(`${at}.${body}`).digest("base64"),
    }),
    signature: "x-signature",
    isTimed: true,
  },
};

const names = Object.keys(schemes);
const scheme = (name: string): Signed => schemes[name] as Signed;
const verify = async (
  name: string,
  changed: { headers?: Record<string, string>; body?: string; secrets?: readonly string[]; nowMs?: number } = {},
): Promise<string> => {
  const signed = scheme(name);
  return signed.verifier.verify(
    { headers: changed.headers ?? (await signed.headers()), body: Buffer.from(changed.body ?? body) },
    { secrets: changed.secrets ?? [signed.secret], nowMs: changed.nowMs ?? nowMs },
  );
};

describe.each(names)("%s", (name) => {
  const signed = scheme(name);

  it("is believed, and known by what is signed", async () => {
    expect(await verify(name)).toBe(signed.known);
  });

  it("is believed with the new secret and with the old one while both hold", async () => {
    const other = signed.secret.startsWith("wh")
      ? `whsec_${Buffer.alloc(32, 9).toString("base64")}`
      : "another secret of 16 bytes";
    expect(await verify(name, { secrets: [other, signed.secret] })).toBe(signed.known);
    expect(await verify(name, { secrets: [signed.secret, other] })).toBe(signed.known);
    await expect(verify(name, { secrets: [other] })).rejects.toMatchObject({ code: "source_unverified" });
    await expect(verify(name, { secrets: [] })).rejects.toMatchObject({ code: "source_unverified" });
  });

  it("is not believed with another body, a changed or a missing signature", async () => {
    const headers = await signed.headers();
    const text = headers[signed.signature] ?? "";
    const middle = Math.floor(text.length / 2) + 8;
    const flipped = `${text.slice(0, middle)}${text[middle] === "a" ? "b" : "a"}${text.slice(middle + 1)}`;
    for (const changed of [
      { body: `${body} ` },
      { body: "" },
      { headers: {} },
      { headers: { ...headers, [signed.signature]: flipped } },
      { headers: { ...headers, [signed.signature]: text.slice(0, -4) } },
      { headers: { ...headers, [signed.signature]: "" } },
      { headers: { ...headers, [signed.signature]: "v1=,v1,,t=,sha256=" } },
      { headers: { ...headers, [signed.signature]: text.repeat(1_000).slice(1) } },
    ])
      await expect(verify(name, changed)).rejects.toMatchObject({ code: "source_unverified" });
  });
});

describe.each(names.filter((name) => scheme(name).isTimed))("the time of %s", (name) => {
  const signed = scheme(name);

  it("is refused before and after its window, and in it is not", async () => {
    const window = deliveryWindowSeconds * 1_000;
    for (const off of [-window, window]) expect(await verify(name, { nowMs: nowMs + off })).toBe(signed.known);
    for (const off of [-window - 1, window + 1])
      await expect(verify(name, { nowMs: nowMs + off })).rejects.toMatchObject({ code: "delivery_expired" });
  });

  it("is not believed with another time than the signed one", async () => {
    const headers = await signed.headers();
    const later = Object.fromEntries(
      Object.entries(headers).map(([key, value]) => [key, value.replace(String(seconds), String(seconds + 1))]),
    );
    expect(later).not.toEqual(headers);
    await expect(verify(name, { headers: later })).rejects.toMatchObject({ code: "source_unverified" });
  });
});

describe("secrets that are none of their scheme", () => {
  it.each([
    ["GitHub", "too short"],
    ["Stripe", "too short"],
    ["Standard Webhooks v1", `whsec_${Buffer.alloc(8).toString("base64")}`],
    ["Standard Webhooks v1a", `whpk_${Buffer.alloc(31).toString("base64")}`],
  ])("are misconfigured for %s", async (name, given) => {
    await expect(verify(name, { secrets: [given] })).rejects.toMatchObject({ code: "config_invalid" });
  });
});

describe("Standard Webhooks", () => {
  it("an id with a dot, which could take over a part of the time, is not believed", async () => {
    const id = "msg_1.1";
    const headers = {
      "webhook-id": id,
      "webhook-timestamp": String(seconds),
      "webhook-signature": new Webhook(standardSecret).sign(id, new Date(nowMs), body),
    };
    await expect(verify("Standard Webhooks v1", { headers })).rejects.toMatchObject({ code: "source_unverified" });
  });

  it("looks at eight signatures, so that nobody can have it compute thousands without a secret", async () => {
    const headers = await scheme("Standard Webhooks v1").headers();
    const after = (wrong: number): Record<string, string> => ({
      ...headers,
      "webhook-signature": `${"v1,AA== ".repeat(wrong)}${headers["webhook-signature"]}`,
    });
    expect(await verify("Standard Webhooks v1", { headers: after(7) })).toBe("msg_1");
    await expect(verify("Standard Webhooks v1", { headers: after(8) })).rejects.toMatchObject({
      code: "source_unverified",
    });
  });
});
