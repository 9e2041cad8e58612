/** Where the edges of one installation share what is left of each limit. */
import type { TenantId } from "../kernel/index.js";

/** A claim on one allowance: so many tokens of it, as many as there are. */
export interface AllowanceClaim {
  readonly tenantId: TenantId;
  /** Which allowance of the tenant; at most 128 characters, nothing personal. */
  readonly name: string;
  /** Tokens of it when it is full; at least 1. */
  readonly capacity: number;
  /** Tokens that come back in a second, until it is full; 0: none, as long as it is remembered. */
  readonly perSecond: number;
  /** Tokens that are wanted; negative: so many are given back. */
  readonly tokens: number;
  /** Seconds after which it may be forgotten when nobody claims any more, which makes it full. */
  readonly keepSeconds: number;
}

/** What a claim was given. */
export interface AllowanceGrant {
  /** Tokens, from 0 to those that were wanted; what was given back, negative. */
  readonly granted: number;
  /** Tokens that are left for everybody, and the part of one that has come back; negative when the capacity was lowered below what is spent. */
  readonly left: number;
}

/** How many of something a process holds open. */
export interface Holding {
  readonly tenantId: TenantId;
  /** What it is; without spaces. */
  readonly name: string;
  /** From 0. */
  readonly held: number;
}

/** The shared allowances. Time is the store's, never a process's. */
export interface AllowanceStore {
  /**
   * Serves the claims, each for itself; all of one call in one commit.
   *
   * @returns the grants in the order of the claims
   * @throws EventplaneError `unavailable` and its kin when the store cannot be reached
   */
  claim(claims: readonly AllowanceClaim[]): Promise<readonly AllowanceGrant[]>;
  /**
   * Says how many this process holds open, which is believed for `keepSeconds`.
   *
   * @param holder names the process
   * @returns how many the others hold together, in the order of the holdings
   * @throws EventplaneError as `claim`
   */
  declare(holder: string, holdings: readonly Holding[], keepSeconds: number): Promise<readonly number[]>;
  /** Forgets allowances that are full again, and what processes held that say nothing any more; at most some thousand. @throws EventplaneError as `claim` */
  sweep(): Promise<void>;
}
