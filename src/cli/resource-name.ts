/** `organization/0190…` and `organization` as arguments. */
import { EventplaneError } from "../kernel/errors.js";

/** A resource, or with no id all of a type. */
export interface ResourceName {
  readonly aggregateType: string;
  readonly aggregateId: string | undefined;
}

/** A type, or a type and an id with a slash between. @throws EventplaneError `usage` */
export function parseResourceName(text: string, id?: string): ResourceName {
  const [, aggregateType = "", fromText] = /^([a-z][a-z0-9_-]{0,63})(?:\/([A-Za-z0-9._:-]{1,128}))?$/.exec(text) ?? [];
  if (aggregateType === "" || (fromText !== undefined && id !== undefined)) {
    throw new EventplaneError(
      "usage",
      "A resource is named TYPE/ID, as organization/0190c7c2-…; a TYPE alone means all of it.",
    );
  }
  return { aggregateType, aggregateId: fromText ?? id };
}

/** A type and an id. @throws EventplaneError `usage` */
export function parseOneResource(
  text: string,
  id?: string,
): { readonly aggregateType: string; readonly aggregateId: string } {
  const { aggregateType, aggregateId } = parseResourceName(text, id);
  if (aggregateId !== undefined) return { aggregateType, aggregateId };
  throw new EventplaneError(
    "usage",
    `This needs one resource: ${aggregateType}/ID. \`evtctl get ${aggregateType}\` lists them.`,
  );
}
