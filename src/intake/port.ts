/** The table of an intake as its drainers see it. */
import type { ErrorCode, EventplaneError } from "../kernel/index.js";

/** A row that this drainer holds for the time of its lease. */
export interface IntakeRow {
  /** Place in the table: the order within a stream. */
  readonly id: string;
  /** What its event's id follows from. */
  readonly rowId: string;
  /** As the application wrote them; nothing of it is believed. */
  readonly tenant: string;
  readonly principal: { readonly type: string; readonly id: string };
  readonly stream: string;
  /** The intent's JSON as it was written; null: more than an intake takes. */
  readonly intentText: string | null;
  /** Tries that ended with a failure of the system. */
  readonly attempts: number;
}

/** What became of a row. */
export type IntakeOutcome =
  | {
      readonly result: "accepted";
      readonly isRepeated: boolean;
      readonly eventId: string;
      readonly position: number;
    }
  | { readonly result: "refused"; readonly error: EventplaneError }
  /** The system was not able to; it may have been accepted all the same. */
  | { readonly result: "later"; readonly error: EventplaneError };

/** An outcome to be written down; `released`: the row was not tried. */
export interface IntakeMark {
  readonly row: IntakeRow;
  readonly outcome: IntakeOutcome | { readonly result: "released" };
  /** How long it waits before it is tried again, milliseconds. */
  readonly delayMs: number;
}

/** How much to claim. */
export interface IntakeClaim {
  /** A UUID: marks count only while the row still has it, but for `accepted`, which is a fact of the log. */
  readonly claim: string;
  /** Tenants after this one come first. */
  readonly after: string;
  /** Tenants that have enough under way. */
  readonly without: readonly string[];
  readonly rowsMax: number;
  readonly leaseMs: number;
}

/** How an intake stands. */
export interface IntakeStanding {
  /** 10,000 stands for more. */
  readonly waiting: number;
  readonly oldestSeconds: number;
  /** 10,000 stands for more. */
  readonly refused: number;
}

/** Which refused rows are meant; several members: those that fit all of them. */
export interface RefusedFilter {
  readonly rowId?: string;
  readonly tenant?: string;
  readonly code?: string;
}

/** A row that the plane refused. */
export interface RefusedRow {
  readonly rowId: string;
  readonly tenant: string;
  readonly principal: string;
  readonly stream: string;
  readonly code: ErrorCode;
  readonly message: string;
  /** RFC 3339 UTC. */
  readonly refusedAt: string;
}

/**
 * The table of one intake. Every method throws `unavailable`, `busy`, `disk_full` or `internal`; then nothing was written, or
 * nobody knows, and the row is offered again after its lease.
 */
export interface IntakeTable {
  /** Rows that wait, those of a stream from its first on, a few tenants in turn; nobody else gets them while the lease lasts. */
  claim(claim: IntakeClaim): Promise<readonly IntakeRow[]>;
  /** Writes outcomes down. */
  mark(claim: string, marks: readonly IntakeMark[]): Promise<void>;
  standing(): Promise<IntakeStanding>;
  /** Deletes rows that were accepted longer ago than this; at most 1,000. @returns how many */
  deleteAccepted(keepMs: number): Promise<number>;
  /** Refused rows, the oldest first. */
  refused(filter: RefusedFilter, limit: number): Promise<readonly RefusedRow[]>;
  /** Lets refused rows be tried again. @returns how many */
  retry(filter: RefusedFilter): Promise<number>;
  /** Deletes refused rows. @returns how many */
  purge(filter: RefusedFilter): Promise<number>;
  /** Ends its connections. */
  close(): Promise<void>;
}
