/** An issuer of tokens: key pairs, a JWKS server on 127.0.0.1 that can rotate, fail, hang and lie, and tokens of any make. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TokenAlgorithm } from "../../src/event/index.js";

/** A key pair of an issuer. */
export interface IssuerKey {
  readonly kid: string;
  readonly algorithm: TokenAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** Makes a key pair. */
export function makeKey(kid: string, algorithm: "RS256" | "ES256" | "EdDSA" = "ES256"): IssuerKey {
  const pair =
    algorithm === "RS256"
      ? generateKeyPairSync("rsa", { modulusLength: 2_048 })
      : algorithm === "ES256"
        ? generateKeyPairSync("ec", { namedCurve: "P-256" })
        : generateKeyPairSync("ed25519");
  return { kid, algorithm, ...pair };
}

/** The public key as a JWK. */
export function jwkOf({ kid, algorithm, publicKey }: IssuerKey): Record<string, string> {
  return { ...(publicKey.export({ format: "jwk" }) as Record<string, string>), kid, alg: algorithm, use: "sig" }; // texts only
}

/** base64url of a text, or of the JSON of anything else. */
export function encode(value: unknown): string {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value), "utf8").toString("base64url");
}

/** A token: any header, any payload, signed by the key as its algorithm says. */
export function tokenOf(
  key: IssuerKey,
  payload: unknown,
  header: unknown = { alg: key.algorithm, kid: key.kid },
): string {
  const signed = `${encode(header)}.${encode(payload)}`;
  return `${signed}.${signatureOf(key, signed).toString("base64url")}`;
}

/** The signature of a text. */
export function signatureOf({ algorithm, privateKey }: IssuerKey, text: string): Buffer {
  const digest = algorithm === "EdDSA" ? null : "sha256";
  return sign(digest, Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
}

/** A server of keys. */
export interface JwksServer {
  readonly uri: string;
  /** Requests so far. */
  readonly hits: () => number;
  /** What it answers from now on. */
  answer(how: (response: ServerResponse) => void): void;
  /** Answers these keys. */
  serve(keys: readonly unknown[]): void;
  close(): Promise<void>;
}

/** Starts one. */
export async function startJwksServer(): Promise<JwksServer> {
  let hits = 0;
  let how: (response: ServerResponse) => void = (response) => response.end('{"keys":[]}');
  const server = createServer((_request, response) => {
    hits++;
    how(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // a TCP server's
  return {
    uri: `http://127.0.0.1:${port}/keys`,
    hits: () => hits,
    answer: (next) => {
      how = next;
    },
    serve: (keys) => {
      how = (response) => response.setHeader("content-type", "application/json").end(JSON.stringify({ keys }));
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
