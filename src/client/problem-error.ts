/** Problems of the edge (RFC 9457) as the errors that everything in Eventplane throws. */
import { type ErrorCode, type ErrorDetails, EventplaneError, errorCodes } from "../kernel/errors.js";

const codes: ReadonlySet<string> = new Set(errorCodes);
const codeByStatus: Readonly<Record<number, ErrorCode>> = {
  401: "unauthenticated",
  403: "forbidden",
  404: "not_found",
  405: "method_not_allowed",
  413: "payload_too_large",
  415: "unsupported_media_type",
  429: "rate_limited",
  502: "unavailable",
  503: "unavailable",
  504: "timeout",
};

/**
 * The error that a problem document says. Its code is one of the stable codes; what is not a problem of ours (a proxy's page)
 * gets the code of its status.
 */
export function problemError(document: unknown, status: number): EventplaneError {
  const problem =
    typeof document === "object" && document !== null ? (document as Readonly<Record<string, unknown>>) : {};
  const { code, detail, type: _type, title: _title, retryable: _retryable, ...rest } = problem;
  const known = typeof code === "string" && codes.has(code) ? (code as ErrorCode) : undefined; // in the table of codes
  const message = typeof detail === "string" ? detail : `The server answered with status ${status}.`;
  return new EventplaneError(
    known ?? codeByStatus[status] ?? (status < 500 ? "request_invalid" : "internal"),
    message,
    {
      details: { ...detailsOf(rest), status },
    },
  );
}

/** Plain members only; a problem has no others. */
function detailsOf(members: Readonly<Record<string, unknown>>): ErrorDetails {
  const details: Record<string, string | number | boolean | null | readonly string[]> = {};
  for (const [name, value] of Object.entries(members)) {
    if (value === null || ["string", "number", "boolean"].includes(typeof value)) details[name] = value as string; // a plain value
    if (Array.isArray(value) && value.every((each) => typeof each === "string")) details[name] = value;
  }
  return details;
}
