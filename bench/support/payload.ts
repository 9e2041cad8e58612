/** The workload's events: intents of one type with a spec of 400 bytes, ten to a stream. */
import type { AppendItem, DraftEvent } from "../../dist/event/index.js";
import type { TenantId } from "../../dist/kernel/index.js";
import { draftIntent, newEventId } from "../../dist/testing/index.js";

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

  /** The next event. */
  next(): AppendItem {
    const creates = this.#count % eventsPerStream === 0;
    return this.#item(creates);
  }

  /** A whole new stream of `count` events. */
  stream(count: number): readonly AppendItem[] {
    return Array.from({ length: count }, (_, index) => this.#item(index === 0));
  }

  #item(creates: boolean): AppendItem {
    const id = newEventId();
    if (creates) this.#stream = id;
    this.#count += 1;
    const event: DraftEvent = draftIntent({
      id,
      tenantId: this.tenantId,
      aggregateId: this.#stream,
      type: creates ? "organization.create" : "organization.change-plan",
      specText: specOf(this.#count).text,
    });
    return { event, effect: creates ? "creates" : "updates", expectedVersion: "any" };
  }
}
