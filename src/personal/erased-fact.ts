/** The fact that a data subject was erased: the one word that counts, wherever the key may still be. */
import type { SystemFactRequest } from "../event/index.js";
import { EventplaneError, type TenantId, uuid8 } from "../kernel/index.js";

/** Streams of data subjects hold what was done to their data. */
export const subjectAggregate = "subject";
/** Type of the fact. */
export const erasedType = "subject.erased";

const subjectForm = /^[A-Za-z0-9._:-]{1,128}$/;

/** The subject's name, checked. @throws EventplaneError `request_invalid` */
export function subjectName(text: string): string {
  if (subjectForm.test(text)) return text;
  throw new EventplaneError(
    "request_invalid",
    "A data subject is named by 1 to 128 characters A-Z, a-z, 0-9, . _ : and -.",
    { details: { parameter: "subject" } },
  );
}

/** The fact; the same for whoever makes it, so that there is one, however often it is asked for. */
export function subjectErased(tenantId: TenantId, subject: string): SystemFactRequest {
  const id = uuid8(tenantId, erasedType, subject);
  return { tenantId, type: erasedType, aggregateId: subject, spec: { subject }, id };
}
