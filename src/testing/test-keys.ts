/** A root key, an edge key and a runtime key that trust one another, for tests. */
import {
  createEd25519Signer,
  createVerifier,
  generateSigningKey,
  introduceKey,
  KeyDirectory,
  type Verifier,
} from "../event/index.js";
import { formatUs, type Signer, type Tier } from "../kernel/index.js";

/** Signers of both tiers and the verifier that knows them. */
export interface TestKeys {
  readonly edge: Signer;
  readonly runtime: Signer;
  readonly directory: KeyDirectory;
  readonly verifier: Verifier;
}

/** New keys, introduced for all kinds from 1970 on. */
export function createTestKeys(): TestKeys {
  const root = generateSigningKey();
  const rootSigner = createEd25519Signer({ privateKey: root.privateKeyPem, tier: "operator" });
  const directory = new KeyDirectory(root.publicKey);
  const signerOf = (tier: Tier): Signer => {
    const key = generateSigningKey();
    directory.accept(
      introduceKey(rootSigner, {
        publicKey: key.publicKey,
        tier,
        kinds: ["intent", "fact", "internal"],
        from: formatUs(0),
      }),
    );
    return createEd25519Signer({ privateKey: key.privateKeyPem, tier });
  };
  return { edge: signerOf("edge"), runtime: signerOf("runtime"), directory, verifier: createVerifier(directory) };
}
