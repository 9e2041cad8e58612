/** Ports that more than one room needs and that plane/ wires together. */
import type { SigningKeyId, TenantId } from "./ids.js";

/** Which signing key may make which events: `edge` intents and facts, `runtime` derived events, `operator` key introductions and repairs. */
export type Tier = "edge" | "runtime" | "signer" | "operator";

/** Signs with one Ed25519 key of one tier. Private key material never leaves the implementation. */
export interface Signer {
  readonly keyId: SigningKeyId;
  readonly tier: Tier;
  /** The 64-byte Ed25519 signature (RFC 8032) over `message`. */
  sign(message: Uint8Array): Uint8Array;
}

/** "Something was appended": a hint after commit, never a record. A lost ring costs one polling interval, nothing else. */
export interface Doorbell {
  /** Says that the log of `tenantId` reached `position`. Never throws, never waits. */
  ring(tenantId: TenantId, position: number): void;
  /**
   * Calls `listener` after each ring, for one tenant or, without `tenantId`, for all.
   *
   * @returns the function that stops it; calling it twice is harmless
   */
  listen(listener: (tenantId: TenantId, position: number) => void, tenantId?: TenantId): () => void;
}
