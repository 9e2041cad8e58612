/** Pages that are read ahead: by themselves, and by a runner that folds a long log. */
import { expect, test } from "vitest";
import type { EventRow } from "../event/index.js";
import { EventplaneError } from "../kernel/index.js";
import type { LogReader } from "../store/index.js";
import {
  appendOf,
  createTestSigner,
  creating,
  draftIntent,
  newTenantId,
  ProjectionBench,
  signAppend,
} from "../testing/index.js";
import { PagesAhead } from "./pages-ahead.js";

const signer = createTestSigner("edge");
const tenantId = newTenantId();
const everything = { limitMax: 2, upTo: Number.POSITIVE_INFINITY };

/** A log of so many events, of which only positions matter here, and what was read of it. */
function logOf(events: number): { readonly reader: Pick<LogReader, "read">; readonly reads: string[] } {
  const rows = Array.from({ length: events }, (_, index) => ({ position: index + 1 }));
  const reads: string[] = [];
  const read: LogReader["read"] = async (_tenantId, { after = 0, limit = 0 }) => {
    reads.push(`${after} ${limit}`);
    return rows.slice(after, after + limit) as unknown as readonly EventRow[]; // the members that are looked at
  };
  return { reader: { read }, reads };
}

test("a page that was read ahead is not read again", async () => {
  const { reader, reads } = logOf(4);
  const pages = new PagesAhead(reader, tenantId);
  const first = await pages.read(1, { after: 0, limit: 2 });
  pages.begin(1, first, everything);
  expect((await pages.read(1, { after: 2, limit: 2 })).map(({ position }) => position)).toEqual([3, 4]);
  expect(reads).toEqual(["0 2", "2 2"]);
});

test("another place, another size and another build are read for themselves", async () => {
  const { reader, reads } = logOf(6);
  const pages = new PagesAhead(reader, tenantId);
  pages.begin(1, await pages.read(1, { after: 0, limit: 2 }), everything);
  for (const [build, after, limit] of [
    [1, 1, 2],
    [1, 2, 1],
    [2, 2, 2],
  ] as const) {
    expect((await pages.read(build, { after, limit })).map(({ position }) => position)[0]).toBe(after + 1);
  }
  expect(reads).toEqual(["0 2", "2 2", "1 2", "2 1", "2 2"]);
});

test("nothing is read beyond what is wanted", async () => {
  const { reader, reads } = logOf(4);
  const pages = new PagesAhead(reader, tenantId);
  const first = await pages.read(1, { after: 0, limit: 2 });
  pages.begin(1, first, { limitMax: 2, upTo: 2 });
  pages.begin(1, first, { limitMax: 2, upTo: 3 });
  expect(reads).toEqual(["0 2", "2 1"]);
});

test("a failure is thrown to whoever takes the page, and to nobody else", async () => {
  const gone = new EventplaneError("unavailable", "The store is away.");
  const pages = new PagesAhead({ read: () => Promise.reject(gone) }, tenantId);
  const { reader } = logOf(2);
  const first = await reader.read(tenantId, { after: 0, limit: 2 });
  pages.begin(1, first, everything);
  pages.begin(2, first, everything);
  await expect(pages.read(1, { after: 2, limit: 2 })).rejects.toBe(gone);
  await pages.end();
});

test("a runner asks for the next page before it writes the one before, and comes to the same state", async () => {
  const bench = new ProjectionBench();
  const tenant = newTenantId();
  for (let round = 0; round < 3; round++) {
    const specs = Array.from({ length: 700 }, (_, n) => JSON.stringify({ plan: `p${n % 3}` }));
    const [first, ...rest] = specs.map((specText) => creating(draftIntent({ tenantId: tenant, specText })));
    if (first !== undefined) await bench.log.edge.append([signAppend(signer, appendOf(first, ...rest))]);
  }
  const done: string[] = [];
  const { reader } = bench.log;
  const runner = bench.runner({
    reader: {
      ...reader,
      readStream: (...given) => reader.readStream(...given),
      head: (...given) => reader.head(...given),
      read: (of, query) => {
        if (query.filter === undefined) done.push(`read after ${query.after}`);
        return reader.read(of, query);
      },
    },
    store: new Proxy(bench.store, {
      get: (target, member) => {
        if (member !== "change") return (target[member as keyof typeof target] as Function).bind(target);
        return (...given: Parameters<typeof target.change>) => {
          for (const step of given[2]) if (step.step === "advance") done.push(`write up to ${step.to.position}`);
          return target.change(...given);
        };
      },
    }),
  });
  await runner.catchUp();
  const writes = done.flatMap((each, at) =>
    each.startsWith("write") ? [{ at, upTo: Number(each.split(" ")[3]) }] : [],
  );
  expect(writes.at(-1)?.upTo).toBe(2_100);
  const late = writes.slice(0, -1).filter(({ at, upTo }) => !done.slice(0, at).includes(`read after ${upTo}`));
  // Nothing is read ahead for another turn, which has four batches.
  expect(late.map(({ upTo }) => upTo)).toEqual(writes.filter((_, index) => index % 4 === 3).map(({ upTo }) => upTo));
  expect(new Set(done).size).toBe(done.length);
  expect(await bench.builds(tenant)).toEqual(["1 v1 live 2100"]);
  expect(await bench.rows(tenant)).toMatchObject({ "types_totals organization.create": [2_100] });
});
