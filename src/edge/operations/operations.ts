/** Every route's operation, and the codes that routes of a kind have in common. */
import { type ErrorCode, EventplaneError } from "../../kernel/index.js";
import { administrationOperations } from "./administration.js";
import { openOperations } from "./open.js";
import type { Operation, Operations } from "./operation.js";
import { operatorOperations } from "./operators.js";
import { publishingOperations } from "./publishing.js";
import { quotaOperations } from "./quotas.js";
import { readingOperations } from "./reading.js";
import { statusOperations } from "./status.js";
import { stuckWorkOperations } from "./stuck-work.js";
import { subjectOperations } from "./subjects.js";
import { webhookOperations } from "./webhooks.js";

/** By method and address, as `GET /v1/tenants/:t/events`. */
export const operations: Operations = {
  ...publishingOperations,
  ...readingOperations,
  ...administrationOperations,
  ...quotaOperations,
  ...stuckWorkOperations,
  ...operatorOperations,
  ...webhookOperations,
  ...subjectOperations,
  ...statusOperations,
  ...openOperations,
};

/**
 * What a route says of itself.
 *
 * @throws EventplaneError `internal` for a route that says nothing: it could be neither documented nor attacked
 */
export function operationOf(method: string, url: string): Operation {
  const operation = operations[`${method} ${url}`];
  if (operation !== undefined) return operation;
  const message = `The route ${method} ${url} has no operation. Describe it in src/edge/operations/ under "${method} ${url}": id, tag, summary, the parameters of its query, its body, its answers with examples, and the codes it is refused with. The OpenAPI document, the tests' attacks and the check of the client follow from that.`;
  throw new EventplaneError("internal", message);
}

/** How a route knows who asks. */
export type Credential = "bearer" | "signature" | "none";

/** Of the signed deliveries the body is the credential. */
export function credentialOf(key: string): Credential {
  if (key.endsWith(" /v1/tenants/:t/sources/:source")) return "signature";
  return operations[key]?.tag === "Open" ? "none" : "bearer";
}

const everywhere: readonly ErrorCode[] = ["request_invalid", "busy", "internal"];
const behindACredential: readonly ErrorCode[] = [
  "unauthenticated",
  "forbidden",
  "rate_limited",
  "requests_limited",
  "platform_stale",
  "unavailable",
  "timeout",
  "database_unreachable",
  "aborted",
];
const withABody: readonly ErrorCode[] = [
  "json_invalid",
  "json_invalid_utf8",
  "json_duplicate_key",
  "json_forbidden_key",
  "json_too_deep",
  "json_unsafe_number",
  "json_lone_surrogate",
  "json_nul",
  "payload_too_large",
  "unsupported_media_type",
];

/** All codes that a route can be refused with. */
export function codesOf(key: string, operation: Operation): readonly ErrorCode[] {
  const credential = credentialOf(key);
  return [
    ...new Set([
      ...everywhere,
      "unsupported_media_type" as const,
      "payload_too_large" as const,
      ...(credential === "none" ? [] : behindACredential),
      ...(operation.body === undefined ? [] : withABody),
      ...operation.errors,
    ]),
  ];
}
