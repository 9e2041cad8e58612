/** The second line of an error: what to do about it. */
import type { ErrorCode } from "../kernel/errors.js";

const byCode: Partial<Record<ErrorCode, string>> = {
  secret_in_arguments:
    "Put it in EVENTPLANE_API_KEY or EVENTPLANE_API_KEY_FILE (mode 0600), or pipe it in with --api-key-stdin.",
  key_file_insecure:
    "Make the file readable by its owner only (chmod 600), and replace the key if others may have read it.",
  unavailable:
    "Start a plane with `evtctl dev`, or give its address with --url or EVENTPLANE_URL; `evtctl doctor` looks further.",
  unauthenticated:
    "Give a key that is neither expired nor revoked: `evtctl key create TENANT --name … --grants …` makes one.",
  forbidden: "Use a key of this tenant with the grant that this needs; `evtctl key list TENANT` shows the grants.",
  schema_violation: "Compare with `evtctl schema show TYPE` and send it again.",
  schema_changed: "Raise its schemaVersion, or take the change back; docs/how-to/evolve-a-schema.md shows how.",
  schema_incompatible: "Take the named changes back, or make a new type; docs/how-to/evolve-a-schema.md has the ways.",
  schema_invalid: "Correct the schema at the places above; docs/how-to/register-your-own-types.md says what is taken.",
  upcast_failed: "Correct the upcaster in the configuration and start the plane again.",
  secret_found: "Keep the secret in a secret store and send a reference: vault:<path>#<key> or token:<id>.",
  unknown_type: "`evtctl schema list` shows the types that this plane takes.",
  content_mismatch: "Send the first content again, or take a new id.",
  wrong_expected_version: "Read it with `evtctl get`, then decide again.",
  wrong_expected_generation: "Read it with `evtctl get`, then decide again.",
  resource_exists: "Change it, or leave out --aggregate-id to create another one.",
  policy_invalid: "Correct the file at the places above; docs/reference/policies.md lists what policies can ask.",
  policy_locks_out: "Leave yourself Administer on the area policies, or let a key of the platform apply it.",
  not_found: "Check the id and the tenant; `evtctl get TYPE` and `evtctl read` list what there is.",
  usage: "`evtctl COMMAND --help` shows the options of a command with examples.",
  json_invalid: "Give one JSON value; in a shell put it between single quotes.",
  port_in_use: "Choose another port with --port, or stop what listens there.",
  data_directory_in_use: "Stop that plane, or choose another folder with --data-dir.",
  data_directory_unwritable: "Give this user the right to write there, or choose another folder with --data-dir.",
  data_directory_damaged: "Restore the folder from a backup, or choose another one with --data-dir.",
  migration_needed: "Run `evtctl migrate up` with the owner's DATABASE_URL.",
  migration_changed:
    "Use the package that migrated it or a later one; a `dev` folder of an unreleased package is best begun anew.",
  schema_too_new: "Use the version of the package that migrated this database, or a later one.",
  database_role_unsafe:
    "Give the plane a DATABASE_URL whose roles `evtctl migrate up` made; never a superuser or the owner.",
  rights_excessive: "Make its folder with `evtctl role export FOLDER --roles …`, where the whole data folder is.",
  database_not_durable: "Turn the named settings on in PostgreSQL; without them acknowledged events can be lost.",
  database_unreachable: "Check that PostgreSQL runs and that DATABASE_URL is right; `evtctl doctor` asks it.",
  verification_failed: "Keep the database as it is, and compare with a backup from before the change.",
  disk_full: "Free some space, then do the same again.",
  config_invalid: "Correct it and start again; `evtctl config show` lists every setting and where it comes from.",
};

const fallback = "docs/reference/errors.md explains the code; `evtctl doctor` looks for the usual causes.";

/** What to do about a failure with this code. */
export function adviceFor(code: ErrorCode): string {
  return byCode[code] ?? fallback;
}
