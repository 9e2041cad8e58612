/** Rows "append": one caller, sixty-four callers, and a hundred events a call. */
import { randomUUID } from "node:crypto";
import { newTenantId } from "../../dist/testing/index.js";
import { copyInto } from "../peers/peers.mjs";
import { interleave } from "../support/interleave.js";
import { Publisher, specOf } from "../support/payload.js";
import type { Row } from "../support/row.js";
import type { BareTable, BenchServer, OurStore } from "../support/server.js";

/** One event, one caller: the latency of a lone append. */
export const appendAlone: Row = {
  name: "append-alone",
  group: "append",
  question: "1 event a call, 1 caller, everything on",
  async run(server) {
    const { store, emmett, bare } = await contenders(server);
    const publisher = new Publisher(newTenantId());
    const streams = streamNames();
    const perRound = 60;
    const comparison = await interleave(
      [
        { name: "eventplane", round: () => times(perRound, () => appendNext(store, publisher)) },
        { name: "emmett", round: () => times(perRound, () => emmett.append(streams(), "changed", [specOf(1).object])) },
        { name: "insert", round: () => times(perRound, () => bare.insert(bareRow(streams()))) },
      ],
      25,
    );
    return {
      comparison,
      goals: [
        { what: "× Emmett", value: comparison.ratios["emmett"], atLeast: 1.2, aim: 2 },
        { what: "× bare INSERT", value: comparison.ratios["insert"], atLeast: 0.4, aim: 0.7 },
      ],
    };
  },
};

/** One event each from 64 callers on one tenant. */
export const appendCrowd: Row = {
  name: "append-crowd",
  group: "append",
  question: "1 event a call, 64 callers, one tenant",
  async run(server) {
    const { store, emmett } = await contenders(server);
    const tenantId = newTenantId();
    const callers = Array.from({ length: 64 }, () => ({ publisher: new Publisher(tenantId), streams: streamNames() }));
    const perCaller = { ours: 20, theirs: 6 };
    const comparison = await interleave(
      [
        {
          name: "eventplane",
          round: () => all(callers, ({ publisher }) => times(perCaller.ours, () => appendNext(store, publisher))),
        },
        {
          name: "emmett",
          round: () =>
            all(callers, ({ streams }) =>
              times(perCaller.theirs, () => emmett.append(streams(), "changed", [specOf(1).object])),
            ),
        },
      ],
      21,
    );
    return { comparison, goals: [{ what: "× Emmett", value: comparison.ratios["emmett"], atLeast: 5, aim: 8 }] };
  },
};

/** A hundred events of one stream a call, eight tenants at once. */
export const appendBatches: Row = {
  name: "append-batches",
  group: "append",
  question: "100 events a call, 8 tenants at once",
  async run(server) {
    const { store, emmett, bare } = await contenders(server);
    const publishers = Array.from({ length: 8 }, () => new Publisher(newTenantId()));
    const calls = 4;
    const perCall = 100;
    const batch = Array.from({ length: perCall }, (_, index) => specOf(index));
    const objects = batch.map(({ object }) => object);
    const counted = (work: Promise<number>): Promise<number> => work.then((done) => done * perCall);
    const comparison = await interleave(
      [
        {
          name: "eventplane",
          round: () =>
            counted(all(publishers, (publisher) => times(calls, () => appendStream(store, publisher, perCall)))),
        },
        {
          name: "emmett",
          round: () =>
            counted(all(publishers, () => times(calls, () => emmett.append(randomUUID(), "changed", objects)))),
        },
        {
          name: "copy",
          round: () => counted(all(publishers, ({ tenantId }) => times(calls, () => copyRows(bare, tenantId, batch)))),
        },
      ],
      21,
    );
    return {
      comparison,
      goals: [
        { what: "× Emmett", value: comparison.ratios["emmett"], atLeast: 1.3, aim: 2.5 },
        { what: "× COPY", value: comparison.ratios["copy"], atLeast: 0.5, aim: 0.7 },
      ],
    };
  },
};

async function contenders(
  server: BenchServer,
): Promise<{ store: OurStore; emmett: Awaited<ReturnType<BenchServer["emmett"]>>; bare: BareTable }> {
  return { store: await server.ours(), emmett: await server.emmett(), bare: await server.bare() };
}

async function appendNext(store: OurStore, publisher: Publisher): Promise<void> {
  const { result } = await store.edge.append({ tenantId: publisher.tenantId, items: [publisher.next()] });
  if (result !== "appended") throw new Error(`an append was ${result}`);
}

async function appendStream(store: OurStore, publisher: Publisher, count: number): Promise<void> {
  const { result } = await store.edge.append({ tenantId: publisher.tenantId, items: publisher.stream(count) });
  if (result !== "appended") throw new Error(`an append was ${result}`);
}

async function copyRows(bare: BareTable, tenantId: string, batch: readonly { readonly text: string }[]): Promise<void> {
  const stream = randomUUID();
  // The specs hold no backslash, tab or newline, so they are COPY text as they are.
  const lines = batch.map(({ text }) => `${tenantId}\t${randomUUID()}\t${stream}\tchanged\t${text}\n`).join("");
  const client = await bare.pool.connect();
  try {
    await copyInto(client, "copy bare (tenant_id, id, stream, type, spec) from stdin", lines);
  } finally {
    client.release();
  }
}

function bareRow(stream: string): Parameters<BareTable["insert"]>[0] {
  return { tenantId: bareTenant, id: randomUUID(), stream, type: "changed", spec: specOf(1).text };
}

const bareTenant = randomUUID();

/** Names of streams, each ten times: as {@link Publisher} does. */
function streamNames(): () => string {
  let count = 0;
  let stream = "";
  return () => {
    if (count++ % 10 === 0) stream = randomUUID();
    return stream;
  };
}

async function times(count: number, work: () => Promise<void>): Promise<number> {
  for (let index = 0; index < count; index++) await work();
  return count;
}

async function all<Item>(items: readonly Item[], work: (item: Item) => Promise<number>): Promise<number> {
  const done = await Promise.all(items.map(work));
  return done.reduce((sum, one) => sum + one, 0);
}
