/**
 * The public keys of one issuer: those of the configuration, or those at its `jwksUri`, fetched when a token needs them.
 *
 * An unknown `kid` fetches them anew, one fetch at a time and at most one in 30 s, whoever asks. Keys older than ten minutes
 * are fetched beside their use; while that fails they go on, for a day at most. A key that is gone from the answer is gone.
 */
import type { CryptoKey } from "jose";
import type { TokenAlgorithm, TokenIssuer } from "../../event/index.js";
import { type Clock, EventplaneError, type JsonObject, scanJson } from "../../kernel/index.js";

/** What the keys of an issuer need. */
export interface IssuerKeysDependencies {
  readonly clock: Clock;
  /** Hears of a fetch that failed, and of the next that did not. */
  readonly report: (issuer: string, failure: unknown) => void;
}

const cooldownMs = 30_000;
const refreshMs = 600_000;
const keptMsMax = 86_400_000;
const fetchMsMax = 5_000;
const answerBytesMax = 262_144;
const keysMax = 100;
/** What a key is made of; whatever else a JWK holds is left aside. */
const keyMembers = ["kty", "n", "e", "crv", "x", "y"] as const;

const shapes: Readonly<Record<TokenAlgorithm, { readonly kty: string; readonly crv?: string }>> = {
  RS256: { kty: "RSA" },
  RS384: { kty: "RSA" },
  RS512: { kty: "RSA" },
  PS256: { kty: "RSA" },
  PS384: { kty: "RSA" },
  PS512: { kty: "RSA" },
  ES256: { kty: "EC", crv: "P-256" },
  ES384: { kty: "EC", crv: "P-384" },
  ES512: { kty: "EC", crv: "P-521" },
  EdDSA: { kty: "OKP", crv: "Ed25519" },
};

/** Keys by `kid`. */
export class IssuerKeys {
  readonly #issuer: TokenIssuer;
  readonly #dependencies: IssuerKeysDependencies;
  #keys: ReadonlyMap<string, JsonObject>;
  readonly #imported = new Map<string, Promise<CryptoKey | undefined>>();
  #triedAtMs = Number.NEGATIVE_INFINITY;
  #fetchedAtMs = Number.NEGATIVE_INFINITY;
  #failing: unknown;
  #fetching: Promise<void> | undefined;

  constructor(issuer: TokenIssuer, dependencies: IssuerKeysDependencies) {
    this.#issuer = issuer;
    this.#dependencies = dependencies;
    this.#keys = byKid(issuer.publicKeys ?? []);
  }

  /**
   * The key of this id for signatures of this algorithm; undefined when the issuer has none.
   *
   * @throws EventplaneError `unavailable` when it is not known and the issuer's keys cannot be read
   */
  async key(kid: string, algorithm: TokenAlgorithm): Promise<CryptoKey | undefined> {
    if (this.#issuer.jwksUri !== undefined) await this.#makeKnown(kid, this.#issuer.jwksUri);
    const jwk = this.#keys.get(kid);
    return jwk !== undefined && fits(jwk, algorithm) ? this.#import(kid, jwk, algorithm) : undefined;
  }

  async #makeKnown(kid: string, uri: string): Promise<void> {
    const now = this.#dependencies.clock.monotonicMs();
    if (now - this.#fetchedAtMs > keptMsMax) this.#keys = new Map();
    const isKnown = this.#keys.has(kid);
    if (
      this.#fetching === undefined &&
      now - this.#triedAtMs > cooldownMs &&
      (!isKnown || now - this.#fetchedAtMs > refreshMs)
    ) {
      this.#triedAtMs = now;
      this.#fetching = this.#fetch(uri).finally(() => {
        this.#fetching = undefined;
      });
    }
    if (isKnown) return;
    await this.#fetching;
    if (this.#keys.has(kid) || this.#failing === undefined) return;
    throw new EventplaneError("unavailable", "The keys of the token's issuer cannot be read now. Try again shortly.");
  }

  /** Never throws. */
  async #fetch(uri: string): Promise<void> {
    const { clock, report } = this.#dependencies;
    const before = this.#failing;
    try {
      this.#keys = byKid(keysIn(await read(uri)));
      this.#imported.clear();
      this.#fetchedAtMs = clock.monotonicMs();
      this.#failing = undefined;
    } catch (error) {
      this.#failing = error;
    }
    if ((before === undefined) !== (this.#failing === undefined)) report(this.#issuer.issuer, this.#failing);
  }

  #import(kid: string, jwk: JsonObject, algorithm: TokenAlgorithm): Promise<CryptoKey | undefined> {
    const place = `${algorithm} ${kid}`;
    const known = this.#imported.get(place);
    if (known !== undefined) return known;
    const members = Object.fromEntries(keyMembers.map((member) => [member, jwk[member]]));
    // Loaded with the first token: most planes see none, and it takes 9 MB.
    const importing = import("jose")
      .then(({ importJWK }) => importJWK(members as { kty: string }, algorithm))
      .then(
        (key) => (key instanceof Uint8Array ? undefined : key),
        () => undefined, // a key that cannot be read opens nothing
      );
    this.#imported.set(place, importing);
    return importing;
  }
}

function byKid(keys: readonly JsonObject[]): ReadonlyMap<string, JsonObject> {
  return new Map(keys.flatMap((key) => (typeof key.kid === "string" ? [[key.kid, key]] : [])));
}

/** A key signs with one algorithm if it says so, and never with one of another kind. */
function fits(jwk: JsonObject, algorithm: TokenAlgorithm): boolean {
  const { kty, crv } = shapes[algorithm];
  const isFor = (member: "alg" | "use", value: string): boolean => jwk[member] === undefined || jwk[member] === value;
  return jwk.kty === kty && (crv === undefined || jwk.crv === crv) && isFor("alg", algorithm) && isFor("use", "sig");
}

/** The answer's bytes, at most 256 KiB of them within 5 s, from this address and no other. */
async function read(uri: string): Promise<Uint8Array> {
  const response = await fetch(uri, {
    headers: { accept: "application/jwk-set+json, application/json" },
    redirect: "error",
    signal: AbortSignal.timeout(fetchMsMax),
  });
  if (response.status !== 200 || response.body === null) throw new Error(`answered ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    // Node's streams are iterable
    bytes += chunk.byteLength;
    if (bytes > answerBytesMax) throw new Error(`answered more than ${answerBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function keysIn(bytes: Uint8Array): readonly JsonObject[] {
  const { value } = scanJson(bytes);
  const { keys } = value as { readonly keys?: unknown }; // whatever it is, it is looked at below
  if (!Array.isArray(keys) || keys.length > keysMax) throw new Error(`is no set of at most ${keysMax} keys`);
  return keys.filter(
    (key: unknown): key is JsonObject => typeof key === "object" && key !== null && !Array.isArray(key),
  );
}
