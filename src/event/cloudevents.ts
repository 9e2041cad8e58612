/**
 * Events as CloudEvents 1.0.2 in JSON (https://github.com/cloudevents/spec, json-format 1.0.2).
 *
 * What CloudEvents has no attribute for are extension attributes, of lower-case letters and digits as it asks; numbers that may
 * not fit its 32-bit integers are text.
 */
import { formatUs } from "../kernel/index.js";
import type { CausedBy, EventRow } from "./event.js";
import { parseCausedBy } from "./stored-json.js";

/** `source` of a tenant's events, and of those that came from a source outside. */
function sourceOf({ tenantId, source }: EventRow): string {
  return source === null ? `eventplane:/tenants/${tenantId}` : `eventplane:/tenants/${tenantId}/sources/${source}`;
}

/** `dataschema` of a type. */
export function dataSchemaOf(type: string, version: number): string {
  return `eventplane:/schemas/${type}/${version}`;
}

/** Digits of `sequence`, so that it sorts as text. */
const sequenceDigits = 16;

/**
 * One event in the JSON format, without parsing its payload. May hold line breaks where a publisher's spec does.
 *
 * @param options.nameOf what the principal is called as `authid`; by default its id
 */
export function cloudEventJson(
  row: EventRow,
  { nameOf = ({ id }) => id }: { readonly nameOf?: (principal: CausedBy["principal"]) => string } = {},
): string {
  const { principal } = parseCausedBy(row.causedByText, row);
  const text = (value: string): string => JSON.stringify(value);
  const parts = [
    `{"specversion":"1.0","id":"${row.id}","source":${text(sourceOf(row))},"type":${text(row.type)}`,
    `"subject":${text(`${row.aggregateType}/${row.aggregateId}`)}`,
    `"time":"${row.occurredAt ?? formatUs(row.recordedAtUs)}","datacontenttype":"application/json"`,
    `"dataschema":${text(dataSchemaOf(row.type, row.schemaVersion))}`,
    `"tenantid":"${row.tenantId}","kind":"${row.kind}","correlationid":"${row.correlationId}"`,
  ];
  if (row.causationId !== null) parts.push(`"causationid":"${row.causationId}"`);
  parts.push(`"authtype":${text(principal.type)},"authid":${text(nameOf(principal))}`);
  parts.push(`"sequence":"${String(row.position).padStart(sequenceDigits, "0")}","streamversion":"${row.version}"`);
  parts.push(`"recordedtime":"${formatUs(row.recordedAtUs)}"`);
  parts.push(`"predecessorhash":"${Buffer.from(row.previousHash).toString("hex")}"`);
  if (row.traceparent !== null) parts.push(`"traceparent":${text(row.traceparent)}`);
  parts.push(`"data":${row.specText}}`);
  return parts.join(",");
}
