/** Subjects: where the events of a tenant are published. */
import { EventplaneError } from "../kernel/index.js";

/** All of ours begin with it. */
export const subjectRoot = "eventplane";

const subjectForm = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/;
const subjectCharactersMax = 255;

/** What a subject needs of an event. */
export interface SubjectParts {
  readonly kind: string;
  readonly tenantId: string;
  readonly type: string;
}

/**
 * `eventplane.<kind>.<tenantId>.<type…>`: a subscriber of one tenant can be held to `eventplane.*.<tenantId>.>`.
 *
 * @throws EventplaneError `request_invalid` when a part would be another place: no part can hold a wildcard, a space or an empty token
 */
export function subjectOf({ kind, tenantId, type }: SubjectParts): string {
  return checkedSubject(`${subjectRoot}.${kind}.${tenantId}.${type}`);
}

/** The subject, if it is one. @throws EventplaneError `request_invalid` */
export function checkedSubject(subject: string): string {
  if (subject.length <= subjectCharactersMax && subjectForm.test(subject)) return subject;
  throw new EventplaneError(
    "request_invalid",
    "This is no subject: tokens of letters, digits, _ and -, joined by dots.",
  );
}

/** Whether a subject fits a pattern of `*` and a last `>`. */
export function matchesSubject(pattern: string, subject: string): boolean {
  const wanted = pattern.split(".");
  const tokens = subject.split(".");
  if (wanted.at(-1) === ">") return tokens.length >= wanted.length && fits(wanted.slice(0, -1), tokens);
  return tokens.length === wanted.length && fits(wanted, tokens);
}

function fits(wanted: readonly string[], tokens: readonly string[]): boolean {
  return wanted.every((token, at) => token === "*" || token === tokens[at]);
}
