/** The signing keys that a process holds: the root's, where it is at hand, and one for each tier that it writes as. */
import { createPublicKey } from "node:crypto";
import { createEd25519Signer, publicKeyOf } from "../event/index.js";
import { assert, type Signer } from "../kernel/index.js";
import type { PlaneKey } from "./bootstrap.js";
import type { HeldKey } from "./process-roles.js";

/** Private keys as PKCS#8 PEM; `root` is absent where it is kept offline, then `rootPublicKey` must be given. */
export interface PlaneKeys extends Readonly<Partial<Record<HeldKey, string>>> {
  readonly root?: string;
  readonly rootPublicKey?: string;
  /** Key-encryption keys of personal data, 32 bytes each in base64url, the newest first; without one no personal data are taken. */
  readonly personal?: readonly string[];
}

/** The keys, open. */
export interface Signers {
  readonly root: Signer | undefined;
  readonly rootPublicKey: string;
  /** Those that the process holds. */
  readonly held: readonly PlaneKey[];
  /** The key of a tier; asking for one that the process does not hold is a fault of ours. */
  of(tier: HeldKey): Signer;
}

/** Opens them. @throws EventplaneError `key_file_invalid` */
export function openSigners(keys: PlaneKeys): Signers {
  const held = (["edge", "runtime"] as const).flatMap((tier): PlaneKey[] => {
    const pem = keys[tier];
    if (pem === undefined) return [];
    return [
      {
        signer: createEd25519Signer({ privateKey: pem, tier }),
        publicKey: publicKeyOf(createPublicKey(pem)),
      },
    ];
  });
  const root = keys.root === undefined ? undefined : createEd25519Signer({ privateKey: keys.root, tier: "operator" });
  const rootPublicKey = keys.root === undefined ? (keys.rootPublicKey ?? "") : publicKeyOf(createPublicKey(keys.root));
  const of = (tier: HeldKey): Signer => {
    const key = held.find(({ signer }) => signer.tier === tier);
    assert(key !== undefined, `this process does not hold the key of ${tier}`);
    return key.signer;
  };
  return { root, rootPublicKey, held, of };
}
