/**
 * The one error class and the one table of codes.
 *
 * Codes are API: callers branch on `code`, never on the message. Each code says whether trying the same thing again
 * can help (`retryable`). HTTP statuses live in edge/, exit statuses in cli/.
 */

/** Sending the same request again cannot help. */
const finalCodes = [
  // Input that is not acceptable JSON, or is too big.
  "json_invalid",
  "json_duplicate_key",
  "json_forbidden_key",
  "json_too_deep",
  "json_unsafe_number",
  "json_lone_surrogate",
  "json_nul",
  "json_invalid_utf8",
  "payload_too_large",
  "too_many_events",
  "unsupported_media_type",
  // Input that is JSON but not what the type or the route asks for.
  "request_invalid",
  "spec_too_large",
  "schema_violation",
  "secret_found",
  "unknown_type",
  "schema_changed",
  "schema_incompatible",
  "schema_invalid",
  "schema_limit",
  "upcast_failed",
  "forbidden_field",
  "content_mismatch",
  // Who may do what.
  "unauthenticated",
  "forbidden",
  "source_unverified",
  "delivery_expired",
  "delivery_unmapped",
  "streams_limited",
  "not_found",
  "method_not_allowed",
  // The state of the resource.
  "wrong_expected_version",
  "wrong_expected_generation",
  "resource_exists",
  "resource_deleting",
  "resource_deleted",
  "guard_refused",
  "key_ended",
  // It is accepted, and nobody knows yet what becomes of it.
  "not_settled",
  // The state of the system.
  "aborted",
  "internal",
  // Controllers.
  "decision_invalid",
  "decision_not_deterministic",
  "emit_refused",
  "reconciles_exhausted",
  "terminal_error",
  // Workers.
  "effect_input_invalid",
  "effect_output_invalid",
  "effect_held",
  "effect_not_standing",
  "replay_ended",
  "replays_open",
  "replay_target_unknown",
  // Webhooks.
  "webhook_target_refused",
  "webhook_limit",
  "webhook_undelivered",
  // Policies.
  "policy_invalid",
  "policy_locks_out",
  // Personal data.
  "data_subject_missing",
  "subject_erased",
  // Projections.
  "projection_invalid",
  "projection_impure",
  // The log and its proofs.
  "verification_failed",
  "event_corrupt",
  "key_unknown",
  // Starting up.
  "usage",
  "secret_in_arguments",
  "config_invalid",
  "key_file_insecure",
  "key_file_invalid",
  "data_directory_in_use",
  "data_directory_damaged",
  "data_directory_unwritable",
  "port_in_use",
  "database_missing",
  "database_unsupported",
  "database_role_unsafe",
  "database_not_durable",
  "rights_excessive",
  "migration_needed",
  "migration_changed",
  "schema_too_new",
  "transport_unsupported",
] as const;

/** The same request may succeed when it is sent again later, unchanged. */
const retryableCodes = [
  "rate_limited",
  "requests_limited",
  "events_limited",
  "bytes_limited",
  "connections_limited",
  "busy",
  "unavailable",
  "platform_stale",
  "timeout",
  "lease_lost",
  "subscriber_too_slow",
  "reconcile_failed",
  "reconcile_timeout",
  "effect_unknown",
  "effect_timeout",
  "thread_lost",
  "try_again",
  "disk_full",
  "database_unreachable",
] as const;

/** One of the stable error codes. */
export type ErrorCode = (typeof finalCodes)[number] | (typeof retryableCodes)[number];

const retryable: ReadonlySet<string> = new Set(retryableCodes);

/** Every error code of Eventplane, documented one by one in docs/reference/errors.md. */
export const errorCodes: readonly ErrorCode[] = [...finalCodes, ...retryableCodes];

/** Plain values only: ids, numbers, pointers. Never payloads, never secrets. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

/**
 * The only error that Eventplane throws on purpose.
 *
 * `message` says what failed, with which ids, and what to do next; it is safe to show to the caller.
 * `cause` is for logs and is never sent outside.
 */
export class EventplaneError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  readonly retryable: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly details?: ErrorDetails; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "EventplaneError";
    this.code = code;
    this.details = options.details ?? {};
    this.retryable = retryable.has(code);
  }
}

/** True when `error` is an {@link EventplaneError}, optionally with this code. Never throws, not even for what throws when it is looked at. */
export function isEventplaneError(error: unknown, code?: ErrorCode): error is EventplaneError {
  try {
    return error instanceof EventplaneError && (code === undefined || error.code === code);
  } catch {
    return false;
  }
}

/**
 * True when the same thing may succeed when it is tried again later, unchanged: `error.retryable` of an error of
 * Eventplane, also from another copy of the package or thrown by the client; false for everything else.
 *
 * What changes something needs an id or an idempotency key to be tried again: its outcome may be unknown.
 */
export function isRetryable(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error) || !("retryable" in error)) return false;
  return typeof error.code === "string" && retryable.has(error.code) && error.retryable === true;
}

/**
 * Throws when a condition that our own code guarantees does not hold. On in production.
 *
 * @throws EventplaneError `internal`
 */
export function assert(condition: unknown, why: string): asserts condition {
  if (!condition) throw new EventplaneError("internal", `Internal assumption broken: ${why}`);
}
