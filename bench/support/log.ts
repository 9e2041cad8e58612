/** A log to read: filled by a publisher, read from its beginning in pages. */
import { toEvent } from "../../dist/event/index.js";
import type { TenantId } from "../../dist/kernel/index.js";
import { Publisher } from "./payload.js";
import type { OurStore } from "./server.js";

const batch = 500;

/** Appends so many events to a tenant's log, in batches of 500. */
export async function fillLog({ edge }: OurStore, tenantId: TenantId, events: number): Promise<void> {
  const publisher = new Publisher(tenantId);
  for (let done = 0; done < events; done += batch) {
    const items = Array.from({ length: Math.min(batch, events - done) }, () => publisher.next());
    const { result } = await edge.append({ tenantId, items });
    if (result !== "appended") throw new Error(`an append was ${result}`);
  }
}

/** Reads a whole log in pages. @returns how many events there are */
export async function readLog(
  { reader }: OurStore,
  tenantId: TenantId,
  {
    pageSize,
    visit = () => {},
  }: {
    readonly pageSize: number;
    readonly visit?: (event: ReturnType<typeof toEvent>) => void;
  },
): Promise<number> {
  let after = 0;
  for (;;) {
    const rows = await reader.read(tenantId, { after, limit: pageSize });
    for (const row of rows) visit(toEvent(row));
    after += rows.length;
    if (rows.length < pageSize) return after;
  }
}
