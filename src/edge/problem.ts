/**
 * Errors as HTTP: the one table of code → status, and the body of RFC 9457 (application/problem+json).
 *
 * The body holds the stable code, the message of an {@link EventplaneError} (safe by its contract) and its details.
 * Whatever else is thrown becomes `internal` and shows nothing of itself.
 */
import { type ErrorCode, EventplaneError, errorCodes, isEventplaneError, terminalSafe } from "../kernel/index.js";
import { rateLimitFields } from "./limits/rate-limit-fields.js";

/** HTTP status of each code that the edge may answer with; codes that are not listed are failures of ours: 500. */
const statusByCode: Partial<Record<ErrorCode, number>> = {
  json_invalid: 400,
  json_duplicate_key: 422,
  json_forbidden_key: 422,
  json_too_deep: 422,
  json_unsafe_number: 422,
  json_lone_surrogate: 422,
  json_nul: 422,
  json_invalid_utf8: 400,
  payload_too_large: 413,
  too_many_events: 413,
  unsupported_media_type: 415,
  request_invalid: 400,
  spec_too_large: 413,
  schema_violation: 422,
  secret_found: 422,
  unknown_type: 422,
  forbidden_field: 422,
  content_mismatch: 422,
  data_subject_missing: 422,
  subject_erased: 410,
  unauthenticated: 401,
  forbidden: 403,
  source_unverified: 401,
  delivery_expired: 401,
  delivery_unmapped: 422,
  not_found: 404,
  method_not_allowed: 405,
  wrong_expected_version: 409,
  wrong_expected_generation: 409,
  resource_exists: 409,
  resource_deleting: 409,
  resource_deleted: 409,
  guard_refused: 409,
  key_ended: 409,
  effect_not_standing: 409,
  replay_ended: 409,
  replays_open: 409,
  replay_target_unknown: 422,
  schema_invalid: 422,
  schema_limit: 409,
  upcast_failed: 422,
  schema_changed: 409,
  schema_incompatible: 409,
  webhook_target_refused: 422,
  webhook_limit: 409,
  policy_invalid: 422,
  policy_locks_out: 409,
  projection_invalid: 422,
  rate_limited: 429,
  requests_limited: 429,
  events_limited: 429,
  bytes_limited: 429,
  connections_limited: 429,
  streams_limited: 429,
  busy: 503,
  unavailable: 503,
  platform_stale: 503,
  subscriber_too_slow: 503,
  timeout: 503,
  disk_full: 503,
  database_unreachable: 503,
  aborted: 503,
};

/** Answers of these statuses carry Retry-After, seconds. */
const retryAfterSecondsDefault = 1;

/** One problem, as it is sent. */
export interface Problem {
  /** A relative reference to the code's entry in docs/reference/errors.md. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly requestId: string;
  readonly retryable: boolean;
  /** When trying again can help; absent: a second. */
  readonly retryAfterSeconds?: number;
  /** The limit that was reached, by its name in the RateLimit fields; with it come `quota` and `windowSeconds`. */
  readonly policy?: string;
  readonly quota?: number;
  readonly windowSeconds?: number;
  /** JSON pointers (RFC 6901) into the request's body. */
  readonly pointers?: readonly string[];
  readonly [member: string]: unknown;
}

/** The status of an error; `preconditioned` turns a stale generation into 412, as If-Match asks for. */
export function httpStatus(code: ErrorCode, options: { readonly preconditioned?: boolean } = {}): number {
  if (code === "wrong_expected_generation" && options.preconditioned === true) return 412;
  return statusByCode[code] ?? 500;
}

/** The codes that the edge can answer with, each with its status. */
export function httpCodes(): ReadonlyMap<ErrorCode, number> {
  return new Map(errorCodes.flatMap((code) => (statusByCode[code] === undefined ? [] : [[code, statusByCode[code]]])));
}

/** Any thrown value as an EventplaneError; foreign ones become `internal` with the cause kept for the log. */
export function asEventplaneError(error: unknown): EventplaneError {
  if (isEventplaneError(error)) return error;
  return new EventplaneError(
    "internal",
    "The request failed inside Eventplane. The log has the cause under its requestId.",
    {
      cause: error,
    },
  );
}

/** The body of one refusal or failure. An `internal` message is never shown. */
export function problemOf(
  error: EventplaneError,
  options: { readonly requestId: string; readonly preconditioned?: boolean },
): Problem {
  const status = httpStatus(error.code, options);
  const hidden = status === 500;
  const code = hidden ? "internal" : error.code;
  return {
    ...(hidden ? {} : publicDetails(error)),
    type: `urn:eventplane:error:${code}`,
    title: titleOf(code),
    status,
    code,
    detail: hidden
      ? "The request failed inside Eventplane. Give the requestId to its operator."
      : terminalSafe(error.message),
    requestId: options.requestId,
    retryable: hidden ? false : error.retryable,
  };
}

/** Headers that belong to a problem. */
export function problemHeaders(problem: Problem): Readonly<Record<string, string>> {
  const headers: Record<string, string> = { "content-type": "application/problem+json; charset=utf-8" };
  const { retryAfterSeconds = retryAfterSecondsDefault } = problem;
  if (problem.status === 503 || problem.status === 429) headers["retry-after"] = String(retryAfterSeconds);
  const { policy, quota, windowSeconds } = problem;
  if (policy !== undefined && quota !== undefined)
    Object.assign(
      headers,
      rateLimitFields([{ name: policy, quota, windowSeconds, left: 0, resetSeconds: retryAfterSeconds }]),
    );
  if (problem.status === 401) headers["www-authenticate"] = 'Bearer realm="eventplane"';
  return headers;
}

/** `pointer` of the scanner and `pointers` of a schema check become one member. */
function publicDetails(error: EventplaneError): Record<string, unknown> {
  const { pointer, pointers, ...rest } = error.details;
  const all = Array.isArray(pointers) ? pointers : typeof pointer === "string" ? [pointer] : undefined;
  return all === undefined ? rest : { ...rest, pointers: all.map((each) => terminalSafe(String(each))) };
}

function titleOf(code: ErrorCode): string {
  const words = code.replaceAll("_", " ").replace(/^json/, "JSON");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
