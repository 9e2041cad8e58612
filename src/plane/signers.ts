/** The signing keys of a plane: the root's, where it is at hand, and one for each tier that writes. */
import { createPublicKey } from "node:crypto";
import { createEd25519Signer, publicKeyOf } from "../event/index.js";
import type { Signer } from "../kernel/index.js";
import type { PlaneKey } from "./bootstrap.js";

/** Private keys as PKCS#8 PEM; `root` is absent where it is kept offline, then `rootPublicKey` must be given. */
export interface PlaneKeys {
  readonly root?: string;
  readonly rootPublicKey?: string;
  readonly edge: string;
  readonly runtime: string;
}

/** The keys, open. */
export interface Signers {
  readonly root: Signer | undefined;
  readonly rootPublicKey: string;
  readonly edge: PlaneKey;
  readonly runtime: PlaneKey;
}

/** Opens them. @throws EventplaneError `key_file_invalid` */
export function openSigners(keys: PlaneKeys): Signers {
  const open = (pem: string, tier: "edge" | "runtime"): PlaneKey => ({
    signer: createEd25519Signer({ privateKey: pem, tier }),
    publicKey: publicKeyOf(createPublicKey(pem)),
  });
  const root = keys.root === undefined ? undefined : createEd25519Signer({ privateKey: keys.root, tier: "operator" });
  const rootPublicKey = keys.root === undefined ? (keys.rootPublicKey ?? "") : publicKeyOf(createPublicKey(keys.root));
  return { root, rootPublicKey, edge: open(keys.edge, "edge"), runtime: open(keys.runtime, "runtime") };
}
