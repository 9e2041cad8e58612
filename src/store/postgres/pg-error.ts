/** The one place where errors of the driver and of PostgreSQL become errors of Eventplane. */
import pg from "pg";
import { type ErrorCode, EventplaneError, isEventplaneError } from "../../kernel/index.js";

/** SQLSTATEs (PostgreSQL manual, appendix A) and the codes they become. */
const codeOfState: Readonly<Record<string, ErrorCode>> = {
  "53100": "disk_full",
  // Lock and statement time-outs, deadlocks and serialization failures: nothing was added.
  "55P03": "busy",
  "57014": "busy",
  "40001": "busy",
  "40P01": "busy",
  "25P03": "unavailable",
  // The server has become a standby: a failover is under way.
  "25006": "unavailable",
};
/** Connection failures, operator intervention (shutdown, crash), too many connections, credentials refused. */
const unavailableStates = /^(?:08|57P|533|28)/;

const advice: Partial<Record<ErrorCode, string>> = {
  disk_full: "The database's disk is full; nothing was added. Make room and send it again.",
  busy: "The database did not get to it in time; nothing was added. Send it again.",
  unavailable: "The database cannot be reached. The outcome of what was under way is unknown; send the same again.",
  internal: "The database refused a statement; nothing was added. The cause is in the log.",
};

/**
 * The error of Eventplane that a failure of the driver or of PostgreSQL means, with the failure as its cause.
 *
 * Codes: `disk_full`, `busy`, `unavailable` (all retryable), `internal`. An EventplaneError is returned as it is.
 */
export function translatePgError(error: unknown): EventplaneError {
  if (isEventplaneError(error)) return error;
  const code = codeOf(error);
  const state = error instanceof pg.DatabaseError && error.code !== undefined ? { sqlstate: error.code } : {};
  return new EventplaneError(code, advice[code] ?? "The database failed.", { cause: error, details: state });
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof pg.DatabaseError) {
    const state = error.code ?? "";
    return codeOfState[state] ?? (unavailableStates.test(state) ? "unavailable" : "internal");
  }
  // A mistake of ours; everything else that the driver throws is about the connection.
  return error instanceof TypeError || error instanceof RangeError ? "internal" : "unavailable";
}
