/** The workload's events: intents of one type with a spec of 400 bytes, ten to a stream. */
import type { AppendItem, DraftEvent } from "../../dist/event/index.js";
import type { TenantId } from "../../dist/kernel/index.js";
import { newEventId } from "../../dist/testing/index.js";

/** The same spec as a value and as its JSON text. */
export interface Spec {
  readonly object: object;
  readonly text: string;
}

const specBytes = 400;
const eventsPerStream = 10;

/** One of a thousand different specs of exactly 400 bytes as JSON; made beforehand, so that no round pays for making them. */
export function specOf(number: number): Spec {
  return specs[number % specs.length] ?? makeSpec(number);
}

const specs: readonly Spec[] = Array.from({ length: 1_000 }, (_, number) => makeSpec(number));

function makeSpec(number: number): Spec {
  const base = {
    name: `Organization ${number}`,
    plan: "team",
    region: "eu",
    seats: number % 500,
    contact: { locale: "en-GB", timezone: "Europe/Berlin" },
    note: "",
  };
  // Not one repeated letter: nothing here shall be easier to store than what people write.
  const words = ["quota", "billing", "namespace", "invoice", "member", "audit", "region", "ledger"];
  const missing = specBytes - JSON.stringify(base).length;
  let note = "";
  for (let index = number; note.length < missing; index = (index * 7 + 3) % 1_000_003)
    note += `${words[index % 8]} ${index} `;
  const object = { ...base, note: note.slice(0, missing) };
  return { object, text: JSON.stringify(object) };
}

/** A publisher that works through streams of its own: the first event of a stream creates, nine change. */
export class Publisher {
  readonly tenantId: TenantId;
  #count = 0;
  #stream = "";

  constructor(tenantId: TenantId) {
    this.tenantId = tenantId;
  }

  /** The next event, as a request of its own: with a stamp of its own, in a call of up to a thousand. */
  next(): AppendItem {
    return this.#item(this.#count % eventsPerStream === 0, stampOf(this.#count));
  }

  /** A whole new stream of `count` events, as one request: with one stamp. */
  stream(count: number): readonly AppendItem[] {
    const causedByText = stampOf(this.#count);
    return Array.from({ length: count }, (_, index) => this.#item(index === 0, causedByText));
  }

  #item(creates: boolean, causedByText: string): AppendItem {
    const id = newEventId();
    if (creates) this.#stream = id;
    this.#count += 1;
    const event: DraftEvent = {
      id,
      tenantId: this.tenantId,
      kind: "intent",
      aggregateType: "organization",
      aggregateId: this.#stream,
      type: creates ? "organization.create" : "organization.change-plan",
      schemaVersion: 1,
      specText: specOf(this.#count).text,
      statusText: "{}",
      finalizersText: "{}",
      source: null,
      causedByText,
      correlationId: id,
      causationId: null,
      decision: null,
      keyRefsText: null,
      occurredAt: null,
      traceparent: null,
    };
    return { event, effect: creates ? "creates" : "updates", expectedVersion: "any" };
  }
}

/** One of a thousand texts of what the edge writes of who asked, made beforehand: making them is the edge's work. */
function stampOf(number: number): string {
  return stamps[number % stamps.length] ?? makeStamp();
}

const stamps: readonly string[] = Array.from({ length: 1_000 }, makeStamp);

function makeStamp(): string {
  return JSON.stringify({
    principal: { type: "service", id: "6f1f9e2c-58a4-8d0b-a0c3-1d2e3f405162" },
    via: "http",
    requestId: newEventId(),
    rulingId: "c0a80101-7c3a-8b5e-9f00-0000000000a1",
    policySetHash: "cG9saWNpZXMtb2YtdGhlLWJlbmNoLWFyZS1ub3QtcmVhZA",
    policies: ["publishers-publish"],
    edge: "edge-1",
    keyId: "1b4e28ba-2fa1-8d2e-883f-0016d3cca427",
    at: "2026-01-01T00:00:00.000000Z",
  });
}
