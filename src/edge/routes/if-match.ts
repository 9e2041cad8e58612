/** The version that a change follows, so that nobody overwrites what they have not seen. */
import type { FastifyRequest } from "fastify";
import { EventplaneError } from "../../kernel/index.js";

const ifMatchForm = /^"(\d{1,15})"$/;

/** The version that If-Match names. @throws EventplaneError `request_invalid` when it names none */
export function followedVersion({ headers }: FastifyRequest): number {
  const match = ifMatchForm.exec(headers["if-match"] ?? "");
  if (match !== null) return Number(match[1]);
  const message = 'Send If-Match with the version that you read, as "3"; "0" when there is none yet.';
  throw new EventplaneError("request_invalid", message, { details: { header: "if-match" } });
}
