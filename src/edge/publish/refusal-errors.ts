/** The errors that a publisher gets for what the log or the rules refused. */
import { EventplaneError } from "../../kernel/index.js";
import type { FoundSecret } from "../../schema/index.js";
import type { AppendOutcome } from "../../store/index.js";

/** An append that was refused. */
export type RefusedOutcome = Extract<AppendOutcome, { result: "refused" }>;

const texts: Readonly<Record<RefusedOutcome["code"], string>> = {
  content_mismatch: "This id belongs to an event with other content. Send the first content again, or take a new id.",
  wrong_expected_version: "The stream is not at the expected version. Read it again and decide anew.",
  wrong_expected_generation: "The resource is not at the expected generation. Read it again and decide anew.",
  resource_exists: "The resource exists already. Change it, or take another aggregateId.",
  resource_deleting: "The resource is being deleted. Wait until it is gone.",
  resource_deleted: "The resource was deleted. Create it again first.",
  lease_lost: "The work was taken over by another process.",
};

/** The refusal with the stream's state as it was found. */
export function refusalError({ code, current }: Pick<RefusedOutcome, "code" | "current">): EventplaneError {
  return new EventplaneError(code, texts[code], { details: { ...current } });
}

/** The id is taken by an event with other content. */
export function mismatch(id: string): EventplaneError {
  return new EventplaneError("content_mismatch", texts.content_mismatch, { details: { id } });
}

/** What is to be stored holds a secret. `prefix` is the pointer of the scanned value in the request. */
export function secretFound(what: string, { pointer, rule }: FoundSecret, prefix = ""): EventplaneError {
  const message =
    `${what} holds what looks like a secret (${rule})${pointer === "" ? "" : ` at ${pointer}`}. ` +
    "Events are kept for ever: send a reference to it, and replace the secret if it is one.";
  return new EventplaneError("secret_found", message, { details: { pointer: prefix + pointer, rule } });
}

/** The one answer to everything that a credential may not do, a tenant that does not exist included. */
export function forbidden(): EventplaneError {
  return new EventplaneError(
    "forbidden",
    "This credential may not do that in this tenant, or the tenant does not exist.",
  );
}

/** The error with its pointers moved into the list that the intent came in. */
export function inItem(error: EventplaneError, index: number): EventplaneError {
  const prefix = `/intents/${index}`;
  const move = (pointer: string): string => (pointer.startsWith("/intents/") ? pointer : prefix + pointer);
  const { pointer, pointers, ...rest } = error.details;
  const given = Array.isArray(pointers) ? pointers.map(String) : [typeof pointer === "string" ? pointer : ""];
  return new EventplaneError(error.code, error.message, {
    details: { ...rest, pointers: given.map(move) },
    cause: error.cause,
  });
}
