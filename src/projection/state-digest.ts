/**
 * The state digest: SHA-256 over the rows of a build in the order of tables and keys (as bytes), however it was folded.
 *
 * `"eventplane.projection.v1\n" ‖` for each stored table by name `f(absent) ‖ f(name)`, for each of its rows by key
 * `f(key) ‖ i64be(position, 0 for totals) ‖ f(value)`; the value of totals is its numbers with commas between.
 */
import { createHash, type Hash } from "node:crypto";
import { fields, i64be } from "../kernel/index.js";

/** A row as it enters the digest. */
export interface DigestRow {
  readonly key: string;
  readonly position: number;
  readonly value: string;
}

/** Takes tables in the order of their names, rows in the order of their keys. */
export class StateDigest {
  readonly #hash: Hash = createHash("sha256").update("eventplane.projection.v1\n");

  table(name: string): void {
    this.#hash.update(fields([undefined, utf8(name)]));
  }

  row({ key, position, value }: DigestRow): void {
    this.#hash
      .update(fields([utf8(key)]))
      .update(i64be(position))
      .update(fields([utf8(value)]));
  }

  /** Lower-case hex, 64 characters. Ends the digest. */
  hex(): string {
    return this.#hash.digest("hex");
  }
}

function utf8(text: string): Buffer {
  return Buffer.from(text, "utf8");
}
