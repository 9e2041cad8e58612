/**
 * One event on its way into the log, with its conditions: what the makers of events give and the store takes.
 */
import type { DraftEvent } from "./event.js";

/** What the publisher believes of the stream: a version from 1, that it has no events, that it has some, or nothing. */
export type ExpectedVersion = number | "noStream" | "streamExists" | "any";

/**
 * How an event moves the life of its stream (DESIGN §13.3).
 *
 * | effect    | stream must be                | opens a generation | lifecycle after |
 * |-----------|-------------------------------|--------------------|-----------------|
 * | creates   | none or deleted               | yes                | live            |
 * | updates   | none or live                  | yes                | live            |
 * | deletes   | live (deleting, deleted: unchanged) | yes          | deleting        |
 * | system    | anything                      | no                 | unchanged       |
 * | derived   | anything but none             | no                 | unchanged       |
 * | finishes  | deleting                      | no                 | deleted         |
 *
 * The edge tier may use the first four, the runtime tier the last two. `deletes` on `none` is refused as
 * `wrong_expected_version`.
 */
export type LifecycleEffect = "creates" | "updates" | "deletes" | "system" | "derived" | "finishes";

/** One event to append, with its conditions. Conditions see the earlier events of the same append and call. */
export interface AppendItem {
  readonly event: DraftEvent;
  readonly effect: LifecycleEffect;
  readonly expectedVersion: ExpectedVersion;
  /** The generation of the stream before this event. */
  readonly expectedGeneration?: number;
}
