/** Where data keys are kept: one a data subject of a tenant, each encrypted. Gone once the subject is erased. */
import type { TenantId } from "../kernel/index.js";

/** A data key as it is kept: encrypted under a key of the operator. */
export interface WrappedKey {
  /** Names the person within the tenant: opaque, as an aggregate id. */
  readonly subject: string;
  /** UUID. */
  readonly keyId: string;
  /** Which key-encryption key opens it. */
  readonly kekId: string;
  /** Nonce, ciphertext and tag: 60 bytes. */
  readonly wrapped: Uint8Array;
}

/** A wrapped key with its tenant. */
export interface TenantWrappedKey extends WrappedKey {
  readonly tenantId: TenantId;
}

/** A key as it is listed: nothing secret. */
export interface ListedKey {
  readonly subject: string;
  readonly keyId: string;
  readonly kekId: string;
  /** RFC 3339 UTC. */
  readonly createdAt: string;
}

/**
 * The port. A subject whose `subject.erased` is in its tenant's log has no key, whatever the rows say: that is looked at with
 * every call, so that a row that was restored, or left by a crash, gives nothing back.
 *
 * @throws EventplaneError `unavailable` when the store cannot be reached, from every method
 */
export interface DataKeyStore {
  /** The keys of these subjects that there are. At most 1,000. */
  ofSubjects(tenantId: TenantId, subjects: readonly string[]): Promise<readonly WrappedKey[]>;
  /** The keys with these ids that there are. At most 1,000. */
  ofIds(tenantId: TenantId, keyIds: readonly string[]): Promise<readonly WrappedKey[]>;
  /** Keeps a first key of a subject. @returns the one that is kept, which may be another's; undefined when the subject is erased */
  add(tenantId: TenantId, key: WrappedKey): Promise<WrappedKey | undefined>;
  /** Destroys the subject's key. Call it when `subject.erased` is in the log. @returns whether there was one */
  destroy(tenantId: TenantId, subject: string): Promise<boolean>;
  /** A page of a tenant's keys by subject, those of erased subjects left out. */
  list(tenantId: TenantId, page: { readonly after?: string; readonly limit: number }): Promise<readonly ListedKey[]>;
}

/** What an operator's process does to the keys of all tenants. */
export interface DataKeyUpkeep {
  /** Which key-encryption keys there are data keys of. */
  kekIds(): Promise<readonly string[]>;
  /** Destroys keys of erased subjects that are still there. @returns how many */
  sweep(): Promise<number>;
  /** Some keys that this key-encryption key does not open; empty when it opens all. */
  notUnder(kekId: string, limit: number): Promise<readonly TenantWrappedKey[]>;
  /** Replaces the wrapping of a key that still has the one before. */
  rewrap(key: TenantWrappedKey, before: Uint8Array): Promise<void>;
}
