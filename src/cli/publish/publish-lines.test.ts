import { describe, expect, it } from "vitest";
import type { ClientIntent, PublishItem } from "../../client/index.js";
import { EventplaneError } from "../../kernel/index.js";
import { lineId, publishLines } from "./publish-lines.js";
import type { ListedIntent } from "./read-intents.js";

type Answer = (intents: readonly ClientIntent[]) => readonly PublishItem[];

const options = { concurrency: 4, run: "", onLines: () => undefined };
const created = (): PublishItem => ({ result: "created", receipt: {} as never }); // only its result is looked at
const refused = (error: EventplaneError): PublishItem => ({ result: "refused", error });

async function* linesOf(intents: readonly (ClientIntent | EventplaneError)[]): AsyncGenerator<ListedIntent> {
  for (const [at, intent] of intents.entries()) {
    await Promise.resolve();
    yield { line: at + 1, text: JSON.stringify(intent), intent };
  }
}

function edge(answer: Answer): {
  sent: ClientIntent[][];
  publishMany: (intents: readonly ClientIntent[]) => Promise<readonly PublishItem[]>;
} {
  const sent: ClientIntent[][] = [];
  const publishMany = async (intents: readonly ClientIntent[]): Promise<readonly PublishItem[]> => {
    sent.push([...intents]);
    await Promise.resolve();
    return answer(intents);
  };
  return { sent, publishMany };
}

describe("lines", () => {
  it("go in lists of at most 100, each with the id of its text and place", async () => {
    const client = edge((intents) => intents.map(created));
    const intents = Array.from({ length: 250 }, () => ({ type: "a.create" }));
    const report = await publishLines(client, linesOf(intents), options);
    expect(client.sent.map(({ length }) => length)).toEqual([100, 100, 50]);
    expect(report).toMatchObject({ created: 250, refused: 0, stoppedBy: undefined });
    const ids = client.sent.flat().map(({ id }) => id);
    expect(new Set(ids).size).toBe(250);
    expect(ids[6]).toBe(lineId({ run: "", line: 7, text: '{"type":"a.create"}' }));
  });

  it("keep an id of their own", async () => {
    const client = edge((intents) => intents.map(created));
    await publishLines(client, linesOf([{ type: "a.create", id: "own" }]), options);
    expect(client.sent[0]?.[0]?.id).toBe("own");
  });

  it("are sent again when the system was busy with them, and only those", async () => {
    const busy = new EventplaneError("busy", "later");
    let call = 0;
    const client = edge((intents) => intents.map((_, at) => (call === 0 && at === 1 ? refused(busy) : created())));
    const publishMany = async (intents: readonly ClientIntent[]): Promise<readonly PublishItem[]> => {
      const items = await client.publishMany(intents);
      call += 1;
      return items;
    };
    const report = await publishLines(
      { publishMany },
      linesOf([{ type: "a.x" }, { type: "a.y" }, { type: "a.z" }]),
      options,
    );
    expect(report).toMatchObject({ created: 3, refused: 0, stoppedBy: undefined });
    expect(client.sent.map((list) => list.map(({ type }) => type))).toEqual([["a.x", "a.y", "a.z"], ["a.y"]]);
  });

  it("that are refused are named while the others go on", async () => {
    const bad = new EventplaneError("schema_violation", "no");
    const client = edge((intents) => intents.map(({ type }) => (type === "a.bad" ? refused(bad) : created())));
    const unread = new EventplaneError("json_invalid", "no JSON");
    const report = await publishLines(client, linesOf([{ type: "a.good" }, { type: "a.bad" }, unread]), options);
    expect(report).toMatchObject({ created: 1, refused: 2 });
    expect(report.refusals.map(({ line, error }) => [line, error.code])).toEqual([
      [3, "json_invalid"],
      [2, "schema_violation"],
    ]);
  });

  it("are sent one by one when one of them spoils the list", async () => {
    const client = edge((intents) => {
      if (intents.some(({ type }) => type === "a.huge")) throw new EventplaneError("payload_too_large", "too large");
      return intents.map(created);
    });
    const report = await publishLines(client, linesOf([{ type: "a.x" }, { type: "a.huge" }, { type: "a.y" }]), options);
    expect(report).toMatchObject({ created: 2, refused: 1, stoppedBy: undefined });
    expect(report.refusals[0]).toMatchObject({ line: 2 });
  });

  it("end with a refusal that every line would get", async () => {
    const client = edge(() => {
      throw new EventplaneError("unauthenticated", "who?");
    });
    const intents = Array.from({ length: 1_000 }, () => ({ type: "a.create" }));
    const report = await publishLines(client, linesOf(intents), { ...options, concurrency: 1 });
    expect(report.stoppedBy?.code).toBe("unauthenticated");
    expect(client.sent.length).toBeLessThanOrEqual(2);
  });

  it("of one resource keep their order over lists", async () => {
    let running = 0;
    let most = 0;
    const publishMany = async (intents: readonly ClientIntent[]): Promise<readonly PublishItem[]> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return intents.map(created);
    };
    const same = Array.from({ length: 400 }, () => ({ type: "a.change", aggregateId: "one" }));
    await publishLines({ publishMany }, linesOf(same), options);
    expect(most).toBe(1);
    const others = Array.from({ length: 400 }, (_, at) => ({ type: "a.change", aggregateId: `n${at}` }));
    await publishLines({ publishMany }, linesOf(others), options);
    expect(most).toBeGreaterThan(1);
  });
});

describe("lineId", () => {
  it("is a UUIDv4 that follows from run, line and text", () => {
    const id = lineId({ run: "", line: 1, text: "{}" });
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(lineId({ run: "", line: 1, text: " {} " })).toBe(id);
    for (const other of [
      { run: "2", line: 1, text: "{}" },
      { run: "", line: 2, text: "{}" },
      { run: "", line: 1, text: "[]" },
    ]) {
      expect(lineId(other)).not.toBe(id);
    }
  });
});
