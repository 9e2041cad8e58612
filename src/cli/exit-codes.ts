/** The one table of code → exit status of evtctl. Documented in docs/reference/evtctl.md. */
import type { ErrorCode } from "../kernel/errors.js";

/** Exit statuses; they are API for scripts. */
export const exitStatus = {
  ok: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  conflict: 4,
  unavailable: 5,
  verificationFailed: 6,
  /** `--timeout` ran out; the intent is in the log and goes on. */
  notSettled: 7,
} as const;

const codesByStatus: Readonly<Record<number, readonly ErrorCode[]>> = {
  [exitStatus.usage]: ["usage", "secret_in_arguments", "config_invalid"],
  [exitStatus.refused]: [
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
    "request_invalid",
    "spec_too_large",
    "schema_violation",
    "secret_found",
    "unknown_type",
    "forbidden_field",
    "content_mismatch",
    "replay_target_unknown",
    "webhook_target_refused",
    "policy_invalid",
    "schema_changed",
    "schema_invalid",
    "schema_limit",
    "upcast_failed",
    "schema_incompatible",
    "unauthenticated",
    "forbidden",
    "method_not_allowed",
    "guard_refused",
    "key_file_insecure",
    "database_role_unsafe",
    "database_not_durable",
    "rights_excessive",
  ],
  [exitStatus.conflict]: [
    "wrong_expected_version",
    "wrong_expected_generation",
    "resource_exists",
    "resource_deleting",
    "resource_deleted",
    "effect_not_standing",
    "replay_ended",
    "key_ended",
    "replays_open",
    "webhook_limit",
    "policy_locks_out",
  ],
  [exitStatus.unavailable]: [
    "unavailable",
    "busy",
    "rate_limited",
    "requests_limited",
    "events_limited",
    "bytes_limited",
    "connections_limited",
    "timeout",
    "platform_stale",
    "subscriber_too_slow",
    "database_unreachable",
  ],
  [exitStatus.verificationFailed]: ["verification_failed", "event_corrupt", "key_unknown"],
};

const statusByCode: ReadonlyMap<ErrorCode, number> = new Map(
  Object.entries(codesByStatus).flatMap(([status, codes]) => codes.map((code) => [code, Number(status)] as const)),
);

/** The exit status of a failure with this code. */
export function exitStatusOf(code: ErrorCode): number {
  return statusByCode.get(code) ?? exitStatus.failed;
}
