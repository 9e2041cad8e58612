/** The log of a store as history to decide again. */
import type { RecordedLog } from "../controller/index.js";
import type { EventRow } from "../event/index.js";
import { limits, parseUs, type TenantId } from "../kernel/index.js";
import type { LogReader } from "../store/index.js";

/** A tenant's events, read page by page without an edge. */
export function recordedLogOf(reader: LogReader, tenantId: TenantId): RecordedLog {
  const limit = limits.readPageMax;
  return {
    read: ({ after = 0, recordedFrom }) => {
      const recordedFromUs = recordedFrom === undefined ? undefined : parseUs(recordedFrom);
      const filter = recordedFromUs === undefined ? {} : { filter: { recordedFromUs } };
      return pages((last) => reader.read(tenantId, { ...filter, after: last?.position ?? after, limit }));
    },
    stream: (name) => pages((last) => reader.readStream(tenantId, name, { afterVersion: last?.version ?? 0, limit })),
  };
}

async function* pages(
  next: (last: EventRow | undefined) => Promise<readonly EventRow[]>,
): AsyncGenerator<EventRow, void, undefined> {
  let last: EventRow | undefined;
  do {
    const page = await next(last);
    yield* page;
    last = page.length < limits.readPageMax ? undefined : page.at(-1);
  } while (last !== undefined);
}
