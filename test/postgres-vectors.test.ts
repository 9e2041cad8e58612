/** The test vectors of docs/reference/vectors.json, computed again by PostgreSQL. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DraftEvent } from "../src/event/index.js";
import { type Installation, installEventplane } from "./support/postgres-installation.js";

interface Vectors {
  readonly events: readonly { readonly event: DraftEvent; readonly content: string; readonly digest: string }[];
  readonly genesis: readonly { readonly tenantId: string; readonly logEpoch: number; readonly hash: string }[];
  readonly chain: {
    readonly links: readonly {
      readonly position: number;
      readonly version: number;
      readonly recordedAtUs: number;
      readonly proof: string;
      readonly previousHash: string;
      readonly hash: string;
    }[];
  };
}

// The file is part of this repository.
const vectors = JSON.parse(readFileSync(new URL("../docs/reference/vectors.json", import.meta.url), "utf8")) as Vectors;

let installation: Installation;
beforeAll(async () => {
  installation = await installEventplane();
});
afterAll(() => installation.close());

async function hex(expression: string, values: unknown[]): Promise<string | undefined> {
  const rows = await installation.asSuperuser<{ hex: string }>(`select encode(${expression}, 'hex') as hex`, values);
  return rows[0]?.hex;
}

const content = (event: DraftEvent): Promise<string | undefined> =>
  hex("eventplane.content_hash($1::uuid, $2::uuid, $3, $4, $5, $6, $7, $8::uuid, $9::uuid, $10::timestamptz, $11)", [
    event.tenantId,
    event.id,
    event.kind,
    event.type,
    event.aggregateType,
    event.aggregateId,
    event.source,
    event.correlationId,
    event.causationId,
    event.occurredAt,
    event.specText,
  ]);

it("PostgreSQL computes content and digest of every vector", async () => {
  expect(vectors.events.length).toBeGreaterThan(2);
  for (const vector of vectors.events) {
    const { event } = vector;
    expect(await content(event)).toBe(vector.content);
    const digest = hex(
      "eventplane.event_digest(decode($1, 'hex'), $2::bigint, $3, $4, $5, $6, $7::bigint, $8::bigint, $9::timestamptz, $10, $11, $12, eventplane.json_hash($13))",
      [
        vector.content,
        event.schemaVersion,
        event.keyRefsText,
        event.statusText,
        event.finalizersText,
        event.decision?.component ?? null,
        event.decision?.basisVersion ?? null,
        event.decision?.step ?? null,
        event.decision?.now ?? null,
        event.decision?.emits === undefined ? null : JSON.stringify(event.decision.emits),
        event.decision?.lookups === undefined ? null : JSON.stringify(event.decision.lookups),
        event.traceparent,
        event.causedByText,
      ],
    );
    expect(await digest).toBe(vector.digest);
  }
});

it("PostgreSQL computes the genesis hashes and every link of the chain", async () => {
  expect(vectors.genesis.length).toBeGreaterThan(0);
  for (const { tenantId, logEpoch, hash } of vectors.genesis) {
    expect(await hex("eventplane.genesis_hash($1::uuid, $2::bigint)", [tenantId, logEpoch])).toBe(hash);
  }
  expect(vectors.chain.links.length).toBeGreaterThan(1);
  for (const [index, link] of vectors.chain.links.entries()) {
    const expression =
      "eventplane.chain_hash(decode($1, 'hex'), $2::bigint, $3::bigint, $4::bigint, decode($5, 'hex'), sha256(decode($6, 'hex')))";
    const digest = vectors.events[index]?.digest;
    expect(
      await hex(expression, [link.previousHash, link.position, link.version, link.recordedAtUs, digest, link.proof]),
    ).toBe(link.hash);
  }
});

it("a changed byte of the spec changes the content", async () => {
  const vector = vectors.events[0];
  expect(vector).toBeDefined();
  if (vector !== undefined)
    expect(await content({ ...vector.event, specText: `${vector.event.specText} ` })).not.toBe(vector.content);
});
